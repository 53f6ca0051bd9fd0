'use strict';
// The picture as lanes, and how they are drawn. Everything here is in virtual microseconds and CSS pixels.
const data = JSON.parse(document.getElementById('data').textContent);
const GUTTER = 96;
const NODE_HEIGHT = 38, CALL_HEIGHT = 15, ROW_HEIGHT = 20;
const ENDS = { done: '✓ done', refused: '✕ refused', lost: '? lost', open: '… open' };
const STATES = { opening: 'opening', up: 'up', closing: 'closing', down: 'down', paused: 'paused' };

const callOf = new Map(data.calls.map((call, place) => { call.place = place; return [call.order, call]; }));
const blamed = new Map();
data.explanations.forEach((found) => found.calls.forEach((order, place) => {
  if (!blamed.has(order) || found.names[place]) blamed.set(order, found.names[place] || '');
}));
if (data.violation) data.violation.calls.forEach((order) => { if (!blamed.has(order)) blamed.set(order, ''); });
const steps = data.explanations.flatMap((found) => found.steps);
steps.forEach((step, place) => { step.number = place + 1; });

function seconds(micros) { return (micros / 1e6).toFixed(6).replace(/(\.\d{3})(\d+)$/, '$1 $2') + ' s'; }
function span(micros) {
  if (micros < 1000) return `${micros} µs`;
  if (micros < 1e6) return `${(micros / 1000).toFixed(micros < 1e5 ? 1 : 0)} ms`;
  return `${(micros / 1e6).toFixed(2)} s`;
}
const clientName = (number) => number === 0 ? 'harness' : `client ${number}`;

// Intervals in as few rows as do not overlap.
function pack(items, room) {
  const rows = [];
  for (const item of items) {
    let row = rows.findIndex((end) => end <= item.from);
    if (row < 0) { row = rows.length; rows.push(0); }
    rows[row] = Math.max(item.from, item.to) + room;
    item.row = row;
  }
  return Math.max(1, rows.length);
}

// What changes is said when it changes: makes intervals of it.
function intervals(changes, end) {
  return changes.map((change, place) => ({ from: change[0], to: place + 1 < changes.length ? changes[place + 1][0] : end, is: change.slice(1) }));
}

function makeLanes() {
  const lanes = [];
  let top = 4;
  const add = (lane) => { lane.top = top; top += lane.height; lanes.push(lane); return lane; };
  add({ kind: 'stages', name: 'stage', height: 22, items: intervals(data.stages, data.ends) });
  if (data.troubles.length) {
    const items = data.troubles.map((trouble) => ({ ...trouble, to: trouble.until })).sort((a, b) => a.from - b.from);
    const rows = pack(items, data.ends / 60);
    add({ kind: 'troubles', name: 'troubles', height: rows * ROW_HEIGHT + 8, items });
  }
  const links = intervals(data.links, data.ends);
  for (const node of data.nodes) {
    const cut = links.map((one) => {
      const others = new Set();
      one.is[0].forEach(([from, to]) => { if (from === node.number) others.add(to); if (to === node.number) others.add(from); });
      return { from: one.from, to: one.to, others: [...others].sort((a, b) => a - b) };
    }).filter((one) => one.others.length).reduce((merged, one) => {
      const last = merged.at(-1);
      if (last && last.to === one.from && String(last.others) === String(one.others)) last.to = one.to; else merged.push(one);
      return merged;
    }, []);
    add({ kind: 'node', name: `n${node.number}`, node, height: NODE_HEIGHT + 8, cut,
      states: intervals(node.states, data.ends), standings: intervals(node.standings, data.ends), schemas: intervals(node.schemas.filter((change, place, all) => place > 0 && all[place - 1][1] > 0), data.ends) });
  }
  const clients = [...new Set(data.calls.map((call) => call.client))].sort((a, b) => (a || 1e9) - (b || 1e9));
  for (const client of clients) {
    const calls = data.calls.filter((call) => call.client === client).sort((a, b) => a.from - b.from);
    calls.forEach((call) => { call.to = call.until === null ? data.ends : call.until; });
    const rows = pack(calls, 1);
    const lane = add({ kind: 'client', name: client === 0 ? 'harness' : `c${client}`, client, calls, height: rows * CALL_HEIGHT + 10 });
    calls.forEach((call) => { call.lane = lane; });
  }
  return { lanes, height: top + 6 };
}
const { lanes, height: lanesHeight } = makeLanes();

const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['bg', 'surface-1', 'surface-2', 'surface-3', 'rule', 'ink-1', 'ink-2', 'ink-3', 'accent', 'on-accent', 'soft', 'ok', 'bad', 'warn', 'past', 'variable', 'sans', 'mono'])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
}

function sized(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || canvas.parentElement.clientWidth;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

function text(pen, words, x, y, { colour = 'ink-1', size = 11.5, mono = false, weight = 400, room = Infinity } = {}) {
  pen.font = `${weight} ${size}px ${mono ? colours.mono : colours.sans}`;
  pen.fillStyle = colours[colour];
  if (room < 14) return 0;
  let shown = words;
  if (pen.measureText(shown).width > room) {
    let most = Math.floor(shown.length * room / pen.measureText(shown).width);
    while (most > 0 && pen.measureText(shown.slice(0, most) + '…').width > room) most -= 1;
    if (most < 2) return 0;
    shown = shown.slice(0, most) + '…';
  }
  pen.fillText(shown, x, y);
  return pen.measureText(shown).width;
}

function hatch(pen, x, y, width, height, colour, gap = 5) {
  pen.save(); pen.beginPath(); pen.rect(x, y, width, height); pen.clip();
  pen.strokeStyle = colour; pen.lineWidth = 1; pen.beginPath();
  for (let at = x - height - (x % gap); at < x + width; at += gap) { pen.moveTo(at, y + height); pen.lineTo(at + height, y); }
  pen.stroke(); pen.restore();
}

function box(pen, x, y, width, height, { fill, stroke, dash = [], line = 1 }) {
  pen.beginPath(); pen.roundRect(x + 0.5, y + 0.5, Math.max(width - 1, 1), height - 1, Math.min(3, width / 2));
  if (fill) { pen.fillStyle = fill; pen.fill(); }
  if (stroke) { pen.setLineDash(dash); pen.strokeStyle = stroke; pen.lineWidth = line; pen.stroke(); pen.setLineDash([]); }
}

function faded(colour, part) { return `color-mix(in srgb, ${colour} ${part}%, transparent)`; }

// A call's shape says how it ended, its fill whether it writes.
function drawCall(pen, x, y, width, height, call, label) {
  const wide = Math.max(width, 3);
  if (call.end === 'done') {
    box(pen, x, y, wide, height, call.writes ? { fill: faded(colours.ok, 62), stroke: colours.ok } : { fill: faded(colours.ok, 14), stroke: faded(colours.ok, 75) });
  } else if (call.end === 'refused') {
    box(pen, x, y, wide, height, { fill: faded(colours.warn, 14), stroke: colours.warn });
    hatch(pen, x + 1, y + 1, wide - 2, height - 2, faded(colours.warn, 70), 4);
  } else {
    box(pen, x, y, wide, height, { fill: faded(colours.bad, 10), stroke: colours.bad, dash: [3, 2] });
  }
  const mark = call.end === 'lost' ? '?' : call.end === 'open' ? '…' : call.end === 'refused' ? '✕' : '';
  if (label && wide > 26) {
    const words = (mark ? mark + ' ' : '') + (call.node ? `n${call.node} ` : '') + call.kind;
    pen.save(); pen.beginPath(); pen.rect(x + 2, y, wide - 4, height); pen.clip();
    text(pen, words, x + 4, y + height - 3, { size: 10, colour: 'ink-1', room: wide - 7 });
    pen.restore();
  } else if (mark && wide > 9) text(pen, mark, x + 2, y + height - 3, { size: 10, weight: 600, colour: call.end === 'refused' ? 'warn' : 'bad', room: 14 });
}
