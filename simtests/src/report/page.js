// The page: what is in view, what is chosen, and how it is moved.
const $ = (id) => document.getElementById(id);
const whole = { from: 0, to: data.ends * 1.01 };
let view = { ...whole }, chosen = null, marked = null, shown = data.calls.map(() => true), words = '';

const x = (at, width) => GUTTER + (at - view.from) / (view.to - view.from) * (width - GUTTER);
const at = (px, width) => view.from + (px - GUTTER) / (width - GUTTER) * (view.to - view.from);

function look(from, to) {
  const least = 20;
  let length = Math.min(Math.max(to - from, least), whole.to);
  let start = Math.min(Math.max(from, 0), whole.to - length);
  view = { from: start, to: start + length };
  draw();
}
function zoom(factor, centre = (view.from + view.to) / 2) {
  look(centre - (centre - view.from) * factor, centre + (view.to - centre) * factor);
}
const move = (part) => look(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);

function drawAxis() {
  const { pen, width, height } = sized($('axis'), 24);
  const length = view.to - view.from, wanted = length / Math.max(2, (width - GUTTER) / 110);
  const unit = 10 ** Math.floor(Math.log10(wanted)), step = [1, 2, 5, 10].map((one) => one * unit).find((one) => one >= wanted);
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step / 1e6))));
  for (let tick = Math.ceil(view.from / step) * step; tick <= view.to; tick += step) {
    const px = x(tick, width);
    pen.fillStyle = colours.rule; pen.fillRect(Math.round(px), 16, 1, 8);
    if (px + 46 < width) text(pen, `${(tick / 1e6).toFixed(digits)} s`, px + 4, 16, { colour: 'ink-2', mono: true, size: 11 });
  }
  pen.fillStyle = colours['surface-1']; pen.fillRect(0, 0, GUTTER - 1, height);
  text(pen, 'virtual time', 8, 16, { colour: 'ink-3', size: 11 });
  if (data.violation && data.violation.at >= view.from && data.violation.at <= view.to) {
    const px = x(data.violation.at, width), label = `✖ ${data.violation.checker}: ${data.violation.class}`;
    pen.font = `600 11px ${colours.sans}`;
    const wide = pen.measureText(label).width + 12, left = px + wide > width ? px - wide + 1 : px - 1;
    pen.fillStyle = colours.bad; pen.fillRect(left, 3, wide, 18); pen.fillRect(px - 1, 3, 2, 21);
    text(pen, label, left + 6, 16, { colour: 'bg', size: 11, weight: 600 });
  }
  return { step, width };
}

function drawOverview() {
  const { pen, width, height } = sized($('overview'), 34);
  const px = (micros) => micros / whole.to * width;
  const bins = new Float32Array(Math.ceil(width)), bad = new Float32Array(Math.ceil(width));
  data.calls.forEach((call) => { const bin = Math.min(bins.length - 1, Math.floor(px(call.from))); bins[bin] += 1; if (call.end !== 'done') bad[bin] += 1; });
  const most = Math.max(4, ...bins);
  for (const trouble of data.troubles) { pen.fillStyle = faded(colours.warn, 16); pen.fillRect(px(trouble.from), 0, Math.max(2, px(trouble.until) - px(trouble.from)), height); }
  bins.forEach((count, bin) => {
    if (!count) return;
    const tall = Math.sqrt(count / most) * (height - 6), part = bad[bin] / count;
    pen.fillStyle = faded(colours.ok, 80); pen.fillRect(bin, height - tall, 1, tall);
    pen.fillStyle = colours.bad; pen.fillRect(bin, height - tall * part, 1, tall * part);
  });
  if (data.violation) { pen.fillStyle = colours.bad; pen.fillRect(px(data.violation.at) - 1, 0, 2, height); }
  pen.fillStyle = faded(colours.bg, 62);
  pen.fillRect(0, 0, px(view.from), height); pen.fillRect(px(view.to), 0, width, height);
  pen.strokeStyle = colours.accent; pen.lineWidth = 1.5; pen.strokeRect(px(view.from) + 0.75, 0.75, Math.max(3, px(view.to) - px(view.from) - 1.5), height - 1.5);
}

function drawNode(pen, lane, width) {
  const top = lane.top + 4, bar = 20;
  const clipped = (one) => ({ left: Math.max(x(one.from, width), GUTTER), right: Math.min(x(one.to, width), width) });
  for (const one of lane.states) {
    const { left, right } = clipped(one), wide = right - left;
    if (wide <= 0) continue;
    const [state, why] = one.is;
    if (state === 'up') {
      pen.fillStyle = colours['surface-3']; pen.fillRect(left, top, wide, bar);
      pen.fillStyle = faded(colours.ok, 75); pen.fillRect(left, top, wide, 2);
    } else if (state === 'down') {
      pen.strokeStyle = colours['ink-3']; pen.setLineDash([2, 3]); pen.beginPath(); pen.moveTo(left, top + bar / 2); pen.lineTo(right, top + bar / 2); pen.stroke(); pen.setLineDash([]);
      if (one.from >= view.from) text(pen, '✕', left - 1, top + 15, { colour: 'bad', size: 13, weight: 600 });
      const label = `down${why ? ': ' + why : ''}`;
      pen.font = `400 11px ${colours.sans}`;
      const room = wide - 18, drawn = Math.min(room, pen.measureText(label).width);
      if (room > 30) { pen.fillStyle = colours['surface-1']; pen.fillRect(left + 12, top, drawn + 6, bar); text(pen, label, left + 14, top + 14, { colour: 'ink-2', size: 11, room }); }
    } else {
      const colour = state === 'paused' ? colours.warn : colours.past;
      hatch(pen, left, top, wide, bar, faded(colour, 45), 6);
      box(pen, left, top, wide, bar, { stroke: faded(colour, 60) });
      if (wide > 44) { pen.fillStyle = colours['surface-1']; pen.font = `400 11px ${colours.sans}`; pen.fillRect(left + 4, top + 3, Math.min(wide - 8, pen.measureText(state).width + 6), bar - 6); text(pen, state, left + 7, top + 14, { colour: 'ink-1', size: 11, room: wide - 12 }); }
    }
  }
  const alive = lane.states.filter((one) => one.is[0] === 'up' || one.is[0] === 'opening' || one.is[0] === 'closing');
  for (const one of lane.standings) {
    // A node that is down stands nowhere.
    for (const life of alive) {
      const part = clipped({ from: Math.max(one.from, life.from), to: Math.min(one.to, life.to) }), wide = part.right - part.left;
      if (wide <= 0 || Math.max(one.from, life.from) >= Math.min(one.to, life.to)) continue;
      const [role, term, leader] = one.is;
      if (role === 'leader') {
        box(pen, part.left, top + 2, wide, bar - 2, { fill: colours.soft, stroke: colours.accent });
        text(pen, `leads term ${term}`, part.left + 6, top + 15, { colour: 'ink-1', weight: 600, size: 11, room: wide - 8 });
      } else if (life.is[0] === 'up') {
        pen.fillStyle = colours.rule; pen.fillRect(part.left, top + 2, 1, bar - 2);
        const label = role === 'candidate' ? `wants to lead, term ${term}` : leader ? `follows n${leader}, term ${term}` : `no leader, term ${term}`;
        text(pen, label, part.left + 6, top + 15, { colour: role === 'candidate' || !leader ? 'warn' : 'ink-2', size: 11, room: wide - 8 });
      }
    }
  }
  for (const one of lane.cut) {
    const { left, right } = clipped(one);
    if (right <= left) continue;
    pen.fillStyle = faded(colours.bad, 70); pen.fillRect(left, top + bar + 2, Math.max(2, right - left), 3);
    const others = one.others.map((node) => `n${node}`).join(' '), label = right - left > 84 ? `cut off from ${others}` : others;
    text(pen, label, left + 2, top + bar + 16, { colour: 'bad', size: 10.5, room: right - left - 6 });
  }
  for (const one of lane.schemas) {
    const left = x(one.from, width);
    if (left < GUTTER || left > width || one.is[0] === 0) continue;
    pen.fillStyle = colours.past; pen.fillRect(left, top + 2, 2, bar - 2);
    text(pen, `◇ schema ${one.is[0]}`, left + 2, top + bar + 16, { colour: 'past', size: 10.5, room: Math.min(90, x(one.to, width) - left) });
  }
}

function placeOf(call, width) {
  return { left: x(call.from, width), right: x(call.to, width), top: call.lane.top + 5 + call.row * CALL_HEIGHT, height: CALL_HEIGHT - 3 };
}

function drawClient(pen, lane, width) {
  for (const call of lane.calls) {
    const { left, right, top, height } = placeOf(call, width);
    if (right < GUTTER || left > width) continue;
    const from = Math.max(left, GUTTER - 4), wide = Math.min(right, width + 4) - from;
    pen.globalAlpha = shown[call.place] ? 1 : 0.12;
    drawCall(pen, from, top, wide, height, call, true);
    pen.globalAlpha = 1;
    if (blamed.has(call.order)) box(pen, from - 2, top - 2, Math.max(wide, 3) + 4, height + 4, { stroke: colours.accent, line: 2 });
    if (call === chosen) box(pen, from - 3, top - 3, Math.max(wide, 3) + 6, height + 6, { stroke: colours['ink-1'], line: 2 });
  }
}

function drawSteps(pen, width) {
  const taken = [];
  for (const step of steps) {
    const [from, to] = [callOf.get(step.from), callOf.get(step.to)];
    if (!from || !to) continue;
    const [a, b] = [placeOf(from, width), placeOf(to, width)];
    const start = [Math.min(Math.max((a.left + a.right) / 2, GUTTER), width), a.top + a.height / 2], end = [Math.min(Math.max((b.left + b.right) / 2, GUTTER), width), b.top + b.height / 2];
    const bend = Math.max(26, Math.abs(end[1] - start[1]) * 0.35) * (step.number % 2 ? 1 : -1);
    const middle = [(start[0] + end[0]) / 2 + bend, (start[1] + end[1]) / 2 - (Math.abs(end[1] - start[1]) < 8 ? 26 * Math.sign(bend) : 0)];
    pen.strokeStyle = colours.accent; pen.lineWidth = marked === step ? 3 : 1.75;
    pen.globalAlpha = marked && marked !== step ? 0.35 : 1;
    pen.beginPath(); pen.moveTo(...start); pen.quadraticCurveTo(...middle, ...end); pen.stroke();
    const angle = Math.atan2(end[1] - middle[1], end[0] - middle[0]);
    pen.fillStyle = colours.accent; pen.beginPath(); pen.moveTo(...end);
    for (const turn of [0.4, -0.4]) pen.lineTo(end[0] - 10 * Math.cos(angle + turn), end[1] - 10 * Math.sin(angle + turn));
    pen.fill();
    let [cx, cy] = [0, 1].map((axis) => (start[axis] + 2 * middle[axis] + end[axis]) / 4);
    while (taken.some(([ox, oy]) => Math.hypot(ox - cx, oy - cy) < 17)) cx += 18;
    taken.push([cx, cy]);
    pen.beginPath(); pen.arc(cx, cy, 8, 0, 7); pen.fill();
    pen.textAlign = 'center'; text(pen, String(step.number), cx, cy + 4, { colour: 'on-accent', size: 11, weight: 600 }); pen.textAlign = 'left';
    pen.globalAlpha = 1;
  }
  const named = new Map();
  for (const [order, name] of blamed) if (name && callOf.has(order)) named.set(callOf.get(order), name);
  for (const [call, name] of named) {
    const { left, top } = placeOf(call, width);
    if (left < GUTTER - 30 || left > width) continue;
    pen.font = `600 11px ${colours.mono}`;
    const wide = pen.measureText(name).width + 8;
    box(pen, left - wide - 3, top - 2, wide, 15, { fill: colours.accent });
    text(pen, name, left - wide + 1, top + 10, { colour: 'on-accent', size: 11, weight: 600, mono: true });
  }
}

function drawLanes({ step }) {
  const { pen, width, height } = sized($('lanes'), lanesHeight);
  for (let tick = Math.ceil(view.from / step) * step; tick <= view.to; tick += step) { pen.fillStyle = faded(colours.rule, 55); pen.fillRect(Math.round(x(tick, width)), 0, 1, height); }
  for (const lane of lanes) {
    pen.fillStyle = colours.rule; pen.fillRect(0, lane.top + lane.height - 1, width, 1);
    pen.save(); pen.beginPath(); pen.rect(GUTTER - 1, 0, width, height); pen.clip();
    if (lane.kind === 'stages') for (const one of lane.items) {
      const left = Math.max(x(one.from, width), GUTTER), right = Math.min(x(one.to, width), width);
      if (right <= left) continue;
      pen.fillStyle = colours['ink-3']; pen.fillRect(left, lane.top + 2, 1, 16);
      text(pen, one.is[0], left + 6, lane.top + 14, { colour: 'ink-2', size: 11, room: right - left - 8 });
    }
    if (lane.kind === 'troubles') for (const one of lane.items) {
      const left = Math.max(x(one.from, width), GUTTER), right = Math.min(x(one.to, width), width);
      if (right < left || x(one.from, width) > width || x(one.to, width) < GUTTER) continue;
      const top = lane.top + 4 + one.row * ROW_HEIGHT;
      if (one.to > one.from) box(pen, left, top, Math.max(right - left, 4), ROW_HEIGHT - 4, { fill: faded(colours.warn, 20), stroke: faded(colours.warn, 70) });
      else text(pen, '▲', left - 5, top + 12, { colour: 'warn', size: 11 });
      const next = Math.min(width, ...lane.items.filter((other) => other.row === one.row && other.from > one.from).map((other) => x(other.from, width)));
      text(pen, `${one.kind} · ${one.words}`, left + 6, top + 12, { size: 10.5, room: Math.max(right - left, next - left) - 12 });
    }
    if (lane.kind === 'node') drawNode(pen, lane, width);
    if (lane.kind === 'client') drawClient(pen, lane, width);
    pen.restore();
    text(pen, lane.name, 8, lane.top + (lane.kind === 'node' ? 18 : 16), { mono: true, weight: lane.kind === 'node' ? 600 : 400, size: 12, colour: lane.kind === 'stages' || lane.kind === 'troubles' ? 'ink-3' : 'ink-1' });
    if (lane.kind === 'node') { const schema = lane.node.schemas.filter((change) => change[1] > 0 && change[0] <= view.to).at(-1); if (schema) text(pen, `schema ${schema[1]}`, 8, lane.top + 34, { colour: 'ink-3', size: 10.5, room: 84 }); }
    if (lane.kind === 'client') text(pen, `${lane.calls.length} calls`, 8, lane.top + 29, { colour: 'ink-3', size: 10.5, room: lane.height > 32 ? 80 : 0 });
  }
  pen.save(); pen.beginPath(); pen.rect(GUTTER, 0, width, height); pen.clip();
  drawSteps(pen, width);
  if (data.violation) {
    const px = x(data.violation.at, width);
    pen.fillStyle = colours.bad; pen.fillRect(px - 1, 0, 2, height);
  }
  pen.restore();
}

let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; if ($('time-view').hidden) return; readColours(); drawOverview(); drawLanes(drawAxis()); });
}

function show(parts) { $('details').replaceChildren(...parts); }
function choose(call, { follow = false } = {}) {
  chosen = call;
  show(callDetails(call));
  if (follow && (call.from > view.to || call.to < view.from)) { const half = (view.to - view.from) / 2; look(call.from - half, call.from + half); }
  draw();
}
function under(event) {
  const box = $('lanes').getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top, width = box.width;
  const lane = lanes.find((one) => py >= one.top && py < one.top + one.height);
  if (px < GUTTER || !lane) return {};
  if (lane.kind === 'client') {
    const near = lane.calls.filter((call) => { const place = placeOf(call, width); return py >= place.top - 1 && py <= place.top + place.height + 2 && px >= place.left - 2 && px <= Math.max(place.right, place.left + 3) + 2; });
    return { at: at(px, width), call: near.at(-1) };
  }
  if (lane.kind === 'troubles') {
    const row = Math.floor((py - lane.top - 4) / ROW_HEIGHT);
    return { at: at(px, width), trouble: lane.items.filter((one) => one.row === row && x(one.from, width) - 6 <= px && px <= x(one.to, width) + 6).at(-1) };
  }
  return { at: at(px, width) };
}

function jump() {
  const wrong = data.violation;
  if (!wrong) return;
  const calls = [...blamed.keys()].map((order) => callOf.get(order)).filter(Boolean);
  const from = Math.min(wrong.at, ...calls.map((call) => call.from)), to = Math.max(wrong.at, ...calls.map((call) => call.to));
  const margin = Math.max((to - from) * 0.12, 20000);
  toggle(false); look(from - margin, to + margin);
  const call = calls.at(-1);
  if (call) choose(call); else show(momentDetails(wrong.at));
  if (call) call.lane && $('lanes').scrollIntoView({ block: 'nearest' });
}
function next(by) {
  const sorted = data.calls.filter((call) => shown[call.place]).sort((a, b) => a.from - b.from);
  if (!sorted.length) return;
  let place = sorted.indexOf(chosen);
  if (place < 0) place = sorted.findIndex((call) => call.from >= view.from) - (by > 0 ? 1 : 0);
  choose(sorted[Math.min(Math.max(place + by, 0), sorted.length - 1)], { follow: true });
}
function filter() {
  words = $('filter').value; shown = matches(words);
  $('matches').textContent = words.trim() ? `${shown.filter(Boolean).length} of ${data.calls.length} calls` : '';
  if (!$('table-view').hidden) fillTables($('table-view'), shown, words, choose);
  draw();
}
function toggle(asTable) {
  $('table-view').hidden = !asTable; $('time-view').hidden = asTable;
  $('show-table').setAttribute('aria-pressed', asTable); $('show-time').setAttribute('aria-pressed', !asTable);
  if (asTable) fillTables($('table-view'), shown, words, choose); else draw();
}

function build() {
  $('title').append(data.title, element('span', { class: `verdict is-${data.verdict}` }, data.verdict));
  $('facts').append(...data.facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
  const wrong = $('wrong'), violation = data.violation;
  wrong.append(element('h2', { id: 'wrong-title' }, violation ? `${violation.checker} (${violation.class}) ${violation.of_image ? 'in a crash image of' : 'at'} ${seconds(violation.at)}` : data.verdict === 'pass' ? 'Everything held' : 'Nothing was proved'));
  if (!violation) wrong.className = 'is-green'; else wrong.append(element('p', { class: 'detail', tabindex: 0 }, violation.detail));
  for (const found of data.explanations) {
    if (violation && found.checker === violation.checker && !found.steps.length) continue;
    wrong.append(element('p', { class: 'found' }, element('b', {}, `${found.checker} (${found.class})`), found.steps.length ? ` finds a cycle of ${found.steps.length} calls:` : `: ${found.words.join('; ')}`));
    if (found.steps.length) wrong.append(element('ol', { class: 'steps' }, ...found.steps.map((step) => element('li', {}, element('button', {
      onclick: () => { const calls = [callOf.get(step.from), callOf.get(step.to)]; const from = Math.min(...calls.map((call) => call.from)), to = Math.max(...calls.map((call) => call.to)); toggle(false); look(from - (to - from) * 0.3 - 5000, to + (to - from) * 0.3 + 5000); choose(calls[1]); },
      onmouseenter: () => { marked = step; draw(); }, onmouseleave: () => { marked = null; draw(); }, onfocus: () => { marked = step; draw(); }, onblur: () => { marked = null; draw(); },
    }, element('i', { 'aria-hidden': 'true' }, String(step.number)), element('span', {}, step.words))))));
  }
  wrong.append(element('div', { class: 'repeat' }, 'Repeat it:', element('code', {}, data.repeat),
    element('button', { class: 'small', onclick: (event) => { navigator.clipboard?.writeText(data.repeat); event.target.textContent = 'Copied'; } }, 'Copy')));
  $('jump').disabled = !violation;
  const kinds = [['write, done', { end: 'done', writes: true }], ['read, done', { end: 'done' }], ['refused', { end: 'refused' }], ['lost: nobody knows', { end: 'lost' }]];
  for (const [name, call] of kinds) {
    const canvas = element('canvas', { width: 28, height: 12, 'aria-hidden': 'true' });
    $('legend').append(element('li', {}, canvas, name));
    legends.push(() => { const pen = canvas.getContext('2d'); pen.clearRect(0, 0, 28, 12); drawCall(pen, 0, 0, 26, 12, { ...call, kind: '' }, false); });
  }
  $('legend').append(element('li', {}, '— top line: up'), element('li', {}, 'filled: leads'), element('li', {}, 'hatched: opens or closes'), element('li', {}, '✕ and dots: down'));
  show(violation ? momentDetails(violation.at) : [element('p', { class: 'quiet' }, 'Choose a call to see its request and its answer, or any place to see how the nodes stood then.')]);
}
const legends = [];

function listen() {
  const lanes = $('lanes');
  let drag = null;
  lanes.addEventListener('pointerdown', (event) => { drag = { px: event.clientX, view: { ...view }, moved: false }; lanes.setPointerCapture(event.pointerId); });
  lanes.addEventListener('pointermove', (event) => {
    if (!drag) { const { call, trouble } = under(event); lanes.classList.toggle('is-over', Boolean(call || trouble)); lanes.title = call ? `${clientName(call.client)}: ${call.kind}, ${ENDS[call.end]}, ${call.until === null ? '' : span(call.until - call.from)}` : trouble ? `${trouble.kind}: ${trouble.words}` : ''; return; }
    const by = (drag.px - event.clientX) / (lanes.clientWidth - GUTTER) * (drag.view.to - drag.view.from);
    if (Math.abs(event.clientX - drag.px) > 3) { drag.moved = true; lanes.classList.add('is-dragged'); }
    if (drag.moved) look(drag.view.from + by, drag.view.to + by);
  });
  lanes.addEventListener('pointerup', (event) => {
    lanes.classList.remove('is-dragged');
    if (drag && !drag.moved) { const found = under(event); if (found.call) choose(found.call); else if (found.trouble) show(troubleDetails(found.trouble)); else if (found.at !== undefined) show(momentDetails(Math.max(0, Math.round(found.at)))); }
    drag = null;
  });
  lanes.addEventListener('dblclick', (event) => { const found = under(event); if (found.at !== undefined) zoom(0.4, found.at); });
  lanes.addEventListener('wheel', (event) => {
    const width = lanes.clientWidth;
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 150), at(event.offsetX, width)); }
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); move((event.deltaX || event.deltaY) / (width - GUTTER)); }
  }, { passive: false });
  const centre = (event) => { const box = $('overview').getBoundingClientRect(), to = (event.clientX - box.left) / box.width * whole.to, half = (view.to - view.from) / 2; look(to - half, to + half); };
  $('overview').addEventListener('pointerdown', (event) => { $('overview').setPointerCapture(event.pointerId); centre(event); });
  $('overview').addEventListener('pointermove', (event) => { if (event.buttons) centre(event); });
  $('zoom-in').onclick = () => zoom(0.6); $('zoom-out').onclick = () => zoom(1 / 0.6); $('fit').onclick = () => look(0, whole.to);
  $('jump').onclick = jump; $('show-time').onclick = () => toggle(false); $('show-table').onclick = () => toggle(true);
  $('filter').addEventListener('input', filter);
  const keys = { ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15), '+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1 / 0.6), 0: () => look(0, whole.to),
    n: () => next(1), p: () => next(-1), v: jump, t: () => toggle($('table-view').hidden), '/': () => $('filter').focus() };
  document.addEventListener('keydown', (event) => {
    if (event.target === $('filter')) { if (event.key === 'Escape') { $('filter').value = ''; filter(); $('stage').focus(); } return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('pre')) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  new ResizeObserver(draw).observe($('time-view'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); legends.forEach((one) => one()); draw(); });
  document.querySelector('.skip').addEventListener('click', () => { toggle(true); $('table-view').focus(); });
}

readColours();
build();
listen();
legends.forEach((one) => one());
if (location.hash === '#table') toggle(true); else if (location.hash === '#violation') jump(); else draw();
