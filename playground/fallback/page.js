// The page: run an operation, see the answer, declare the first collection. Text reaches the page as text nodes only.
"use strict";

const byId = (id) => document.getElementById(id);
const FIRST_SCHEMA = `type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
}
`;
const KEPT = "vivarium.operation";
// A larger answer is shown without colours: each would be thousands of elements.
const COLOURED_CHARS_MAX = 200000;
// Of a larger answer the beginning is shown: to lay out megabytes takes seconds.
const SHOWN_CHARS_MAX = 500000;

// Variables travel as the text that was written: a number keeps all its digits.
const requestOf = (query, variables) =>
  `{"query":${JSON.stringify(query)}${variables ? `,"variables":${variables}` : ""}}`;

async function post(path, body) {
  const began = performance.now();
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json" },
    body,
  });
  const text = await response.text();
  return { response, text, elapsed: performance.now() - began };
}

async function admin(query, variables) {
  const { text } = await post("/admin/graphql", requestOf(query, JSON.stringify(variables)));
  const answer = JSON.parse(text);
  if (answer.errors) throw new Error(answer.errors[0].message);
  return answer.data;
}

// JSON in colours: keys plain, strings, numbers and words each in theirs.
function colour(target, json) {
  target.replaceChildren();
  if (json.length > COLOURED_CHARS_MAX) {
    target.textContent = json;
    return;
  }
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;
  let end = 0;
  for (const match of json.matchAll(token)) {
    target.append(json.slice(end, match.index));
    end = match.index + match[0].length;
    const kind = match[1] ? (match[2] ? "" : "string") : match[3] ? "number" : "word";
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = match[0];
    target.append(kind ? span : match[0]);
  }
  target.append(json.slice(end));
}

// Numbers keep their digits: a value is indented as text, never parsed into a double.
function indent(json) {
  let depth = 0, out = "", inString = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (inString) {
      out += char;
      if (char === "\\") out += json[++at] ?? "";
      else if (char === '"') inString = false;
    } else if (char === '"') {
      inString = true;
      out += char;
    } else if (char === "{" || char === "[") {
      const close = char === "{" ? "}" : "]";
      if (json[at + 1] === close) { out += char + close; at++; }
      else out += char + "\n" + "  ".repeat(++depth);
    } else if (char === "}" || char === "]") out += "\n" + "  ".repeat(--depth) + char;
    else if (char === ",") out += ",\n" + "  ".repeat(depth);
    else if (char === ":") out += ": ";
    else if (!/\s/.test(char)) out += char;
  }
  return out;
}

// The text of the variables, when it is JSON.
function variables() {
  const text = byId("variables").value.trim();
  try {
    if (text) JSON.parse(text);
  } catch (error) {
    throw new Error(`The variables are not JSON: ${error.message}`);
  }
  return text;
}

// What is written outlives a reload, where the browser keeps anything.
function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify([byId("operation").value, byId("variables").value]));
  } catch {
    // It is lost with the page.
  }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function complain(error) {
  byId("figures").textContent = "";
  const answer = byId("answer");
  answer.replaceChildren();
  const span = document.createElement("span");
  span.className = "error";
  span.textContent = error instanceof TypeError ? "The server cannot be reached." : error.message;
  answer.append(span);
}

async function busy(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (error) {
    complain(error);
  } finally {
    button.disabled = false;
  }
}

const run = () => busy(byId("run"), async () => {
  keep();
  const { response, text, elapsed } = await post("/graphql", requestOf(byId("operation").value, variables()));
  const version = response.headers.get("vivarium-version");
  const figures = [`${response.status}`, `${elapsed.toFixed(1)} ms`, `${new Blob([text]).size.toLocaleString("en")} bytes`];
  if (version) figures.push(`version ${version}`);
  if (text.length > SHOWN_CHARS_MAX) figures.push("its beginning");
  byId("figures").textContent = figures.join("  ·  ");
  const shown = text.slice(0, SHOWN_CHARS_MAX);
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  colour(byId("answer"), isJson ? indent(shown) : shown);
});

const explain = () => busy(byId("explain"), async () => {
  const data = await admin(
    `query ($query: String!, $variables: JSON) { explain(query: $query, variables: $variables) {
      ... on Explanation { plan } ... on RefusedOperation { errors { code message locations { line column } } } } }`,
    { query: byId("operation").value, variables: JSON.parse(variables() || "null") },
  );
  byId("figures").textContent = "not executed";
  if (data.explain.plan) byId("answer").textContent = data.explain.plan;
  else colour(byId("answer"), JSON.stringify(data.explain.errors, null, 2));
});

const apply = () => busy(byId("apply"), async () => {
  const state = byId("apply-state");
  state.className = "";
  try {
    const { applySchema } = await admin(
      `mutation ($sdl: String!) { applySchema(sdl: $sdl) { __typename ... on InvalidSchema { errors { message line column } }
        ... on RefusedChange { reason } } }`,
      { sdl: byId("sdl").value },
    );
    if (applySchema.__typename === "AppliedSchema") return await load();
    const first = applySchema.errors?.[0];
    throw new Error(first ? `Line ${first.line}, column ${first.column}: ${first.message}` : applySchema.reason);
  } catch (error) {
    state.className = "error";
    state.textContent = error.message;
  }
});

// A query that any collection can answer: its scalar fields, its first page.
function sample(collection) {
  const fields = collection.fields.length ? collection.fields.slice(0, 8).join("\n      ") : "__typename";
  return `query {\n  ${collection.plural}(first: 5) {\n    totalCount\n    nodes {\n      ${fields}\n    }\n  }\n}\n`;
}

function listCollections(types) {
  const named = new Map(types.map((type) => [type.name, type]));
  const collections = [];
  for (const field of named.get("Query")?.fields ?? []) {
    const name = field.type.ofType?.name ?? "";
    const node = named.get(name.replace(/Connection$/, ""));
    if (!name.endsWith("Connection") || !node) continue;
    const scalar = ({ type, args }) => {
      let inner = type;
      while (inner.ofType) inner = inner.ofType;
      return (inner.kind === "SCALAR" || inner.kind === "ENUM") && args.length === 0;
    };
    collections.push({ name: node.name, plural: field.name, fields: node.fields.filter(scalar).map((one) => one.name) });
  }
  return collections.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function load() {
  const type = "name kind ofType { name kind ofType { name kind ofType { name kind } } }";
  const [{ status, schema }, { text }] = await Promise.all([
    admin("{ status { release role version } schema { version } }"),
    post("/graphql", requestOf(`{ __schema { types { name fields { name args { name } type { ${type} } } } } }`)),
  ]);
  const collections = schema.version === 0 ? [] : listCollections(JSON.parse(text).data.__schema.types);
  const count = collections.length === 1 ? "1 collection" : `${collections.length} collections`;
  byId("state").textContent = `release ${status.release} · schema version ${schema.version} · ${count}`;
  byId("no-collections").hidden = collections.length > 0;
  byId("declare").hidden = collections.length > 0;
  byId("collections").replaceChildren(...collections.map((collection) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = collection.name;
    button.title = `Ask for ${collection.plural}`;
    button.addEventListener("click", () => {
      byId("operation").value = sample(collection);
      byId("variables").value = "";
      run();
    });
    item.append(button);
    return item;
  }));
  // Who is in the field is about to write, and would go on behind the sample.
  const operation = byId("operation");
  const isFree = !operation.value && document.activeElement !== operation;
  if (collections.length > 0 && isFree) operation.value = sample(collections[0]);
}

function start() {
  byId("sdl").value = FIRST_SCHEMA;
  const [operation = "", variables = ""] = kept();
  byId("operation").value = operation;
  byId("variables").value = variables;
  byId("run").addEventListener("click", run);
  byId("explain").addEventListener("click", explain);
  byId("apply").addEventListener("click", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      (byId("declare").hidden ? run : apply)();
    }
  });
  load().catch((error) => {
    byId("state").textContent = error instanceof TypeError ? "The server cannot be reached." : error.message;
    byId("state").className = "error";
  });
}

start();
