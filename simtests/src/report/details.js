// What is known of one thing, and the tables for those who do not look at the picture.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
const facts = (pairs) => element('dl', {}, ...pairs.filter(([, value]) => value !== '' && value !== null && value !== undefined)
  .flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, String(value))]));

// JSON on lines of its own where it is long. What was cut is no JSON, and stays as it is.
function pretty(json) {
  const print = (value, indent) => {
    const short = JSON.stringify(value);
    if (value === null || typeof value !== 'object' || short.length + indent.length < 42) return short.replace(/([,:])(?=["[{\d-])/g, '$1 ');
    const inner = indent + '  ', parts = Array.isArray(value) ? value.map((one) => print(one, inner)) : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${print(one, inner)}`);
    return (Array.isArray(value) ? '[' : '{') + `\n${inner}${parts.join(`,\n${inner}`)}\n${indent}` + (Array.isArray(value) ? ']' : '}');
  };
  try { return print(JSON.parse(json), ''); } catch { return json; }
}
// A document on lines of its own: braces decide.
function layOut(document) {
  let depth = 0;
  return document.replace(/\s*([{}])\s*/g, (_, brace) => {
    if (brace === '{') { depth += 1; return depth < 4 ? ` {\n${' '.repeat(depth * 2)}` : ' { '; }
    depth -= 1; return depth < 3 ? `\n${' '.repeat(depth * 2)}}` + (depth > 0 ? `\n${' '.repeat(depth * 2)}` : '') : ' } ';
  }).replace(/\n\s*\n/g, '\n').trim();
}

function callDetails(call) {
  const name = blamed.get(call.order);
  const why = steps.filter((step) => step.from === call.order || step.to === call.order);
  return [
    element('h2', {}, (name ? `${name} · ` : '') + `${clientName(call.client)}: ${call.kind}`),
    facts([
      ['ended', ENDS[call.end]], ['through', call.node ? `n${call.node}` : ''], ['began', seconds(call.from)],
      ['took', call.until === null ? 'never ended' : span(call.until - call.from)],
      ['version', call.version], ['key', call.key], ['call', call.place],
    ]),
    ...(why.length ? [element('h3', {}, 'In the cycle'), ...why.map((step) => element('p', { class: 'quiet' }, `${step.number}. ${step.words}`))] : []),
    ...(call.answer ? [element('h3', {}, call.end === 'done' ? 'Answer' : 'What came back'), element('pre', { tabindex: 0, 'aria-label': 'Answer' }, pretty(call.answer))] : []),
    element('h3', {}, 'Variables'), element('pre', { tabindex: 0, 'aria-label': 'Variables' }, pretty(call.variables)),
    element('h3', {}, 'Request'), element('pre', { tabindex: 0, 'aria-label': 'Request' }, layOut(data.documents[call.document])),
  ];
}

function momentDetails(at) {
  const rows = data.nodes.map((node) => {
    const last = (changes) => changes.filter((change) => change[0] <= at).at(-1);
    const state = last(node.states), standing = last(node.standings), schema = last(node.schemas);
    const up = state && state[1] === 'up';
    return [`n${node.number}`, !state ? 'not started' : [state[1], up && standing ? `${standing[1]}, term ${standing[2]}` : state[2],
      up && standing && standing[1] !== 'leader' ? (standing[3] ? `follows n${standing[3]}` : 'knows no leader') : '', up && schema ? `schema ${schema[1]}` : ''].filter(Boolean).join(', ')];
  });
  const troubles = data.troubles.filter((trouble) => trouble.from <= at && at <= Math.max(trouble.until, trouble.from));
  const cut = data.links.filter((change) => change[0] <= at).at(-1);
  return [
    element('h2', {}, `At ${seconds(at)}`), facts(rows),
    ...(troubles.length ? [element('h3', {}, 'Troubles'), ...troubles.map((trouble) => element('p', { class: 'quiet' }, `${trouble.kind}: ${trouble.words}`))] : []),
    ...(cut && cut[1].length ? [element('h3', {}, 'Cut links'), element('p', { class: 'quiet' }, cut[1].map(([from, to]) => `n${from}→n${to}`).join(', '))] : []),
  ];
}

function troubleDetails(trouble) {
  return [element('h2', {}, `${trouble.kind}`), facts([['what', trouble.words], ['nodes', trouble.nodes.map((node) => `n${node}`).join(', ')],
    ['began', seconds(trouble.from)], ['lasts', trouble.until > trouble.from ? span(trouble.until - trouble.from) : 'a moment']])];
}

const haystack = data.calls.map((call) => [clientName(call.client), `c${call.client}`, call.node ? `n${call.node}` : '', call.kind, call.key || '', call.end,
  call.version || '', blamed.get(call.order) || '', call.variables, call.answer, data.documents[call.document]].join(' ').toLowerCase());
function matches(words) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  return data.calls.map((_, place) => parts.every((part) => haystack[place].includes(part)));
}

function table(caption, heads, rows) {
  return element('table', {}, element('caption', {}, caption),
    element('thead', {}, element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))),
    element('tbody', {}, ...rows));
}
const cell = (content, kind) => element('td', kind ? { class: kind } : {}, content === null || content === undefined ? '' : typeof content === 'object' ? content : String(content));

function eventRows() {
  const events = data.stages.map(([at, name]) => [at, 'run', `stage: ${name}`]);
  data.troubles.forEach((trouble) => events.push([trouble.from, trouble.nodes.map((node) => `n${node}`).join(' ') || 'network',
    `${trouble.kind}: ${trouble.words}${trouble.until > trouble.from ? `, for ${span(trouble.until - trouble.from)}` : ''}`]));
  data.nodes.forEach((node) => {
    node.states.forEach(([at, state, why]) => events.push([at, `n${node.number}`, why ? `${state}: ${why}` : state]));
    node.standings.forEach(([at, role, term, leader]) => events.push([at, `n${node.number}`, `${role} in term ${term}${role === 'leader' ? '' : leader ? `, leader n${leader}` : ', no leader'}`]));
    node.schemas.forEach(([at, version]) => events.push([at, `n${node.number}`, `serves schema ${version}`]));
  });
  if (data.violation) events.push([data.violation.at, 'violation', `${data.violation.checker} (${data.violation.class}): ${data.violation.detail}`]);
  return events.sort((a, b) => a[0] - b[0]);
}

function fillTables(holder, shown, words, onCall) {
  const calls = data.calls.filter((call) => shown[call.place]).map((call) => element('tr', blamed.has(call.order) ? { class: 'is-blamed' } : {},
    cell(element('button', { onclick: () => onCall(call), 'aria-label': `Show call ${call.place}` }, String(call.place))),
    cell(seconds(call.from), 'number'), cell(call.until === null ? '' : span(call.until - call.from), 'number'),
    cell(call.client ? `c${call.client}` : 'harness'), cell(call.node ? `n${call.node}` : ''), cell((blamed.get(call.order) ? `${blamed.get(call.order)} ` : '') + call.kind),
    cell(ENDS[call.end], `end-${call.end}`), cell(call.version, 'number'), cell(call.key), cell(call.variables.slice(0, 160), 'words')));
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  const events = eventRows().filter((event) => parts.every((part) => event.join(' ').toLowerCase().includes(part)))
    .map(([at, who, what]) => element('tr', {}, cell(seconds(at), 'number'), cell(who), cell(what, 'words')));
  holder.replaceChildren(
    table(`Calls (${calls.length})`, ['call', 'began', 'took', 'client', 'node', 'kind', 'ended', 'version', 'key', 'variables'], calls),
    table(`What happened (${events.length})`, ['at', 'who', 'what'], events));
}
