//! JSON as text: indented without reading a number, for a number keeps all its digits.

// Runs of plain characters are one step: as many steps as characters have no room in the stack for a text of megabytes.
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g;

/** How much of JSON is written. */
export interface Room {
  /** Of all that is written, about. */
  charsMax: number;
  /** Of one string. */
  stringCharsMax: number;
}

const EVERYTHING: Room = { charsMax: Number.POSITIVE_INFINITY, stringCharsMax: Number.POSITIVE_INFINITY };

/** Indents JSON by two. Leaves out the members of the top object that are named. What has no room is left out with a `…`. */
export function indent(text: string, without: readonly string[] = [], room: Room = EVERYTHING): string {
  let out = '';
  let depth = 0;
  /** Within a member that is left out. */
  let hidden = false;
  /** What stands before the next token that is shown. */
  let between = '';
  let keyNext = false;
  for (const [token] of text.matchAll(TOKENS)) {
    if (out.length > room.charsMax) return `${out}\n…`;
    const first = token.charAt(0);
    if (keyNext && depth === 1) hidden = without.includes(token.slice(1, -1));
    keyNext = false;
    if (first === '}' || first === ']') {
      depth -= 1;
      if (depth === 0) hidden = false;
      if (hidden) continue;
      // Right after its opening there is nothing to stand on lines of its own.
      out += /[{[]$/.test(out) ? token : `\n${'  '.repeat(depth)}${token}`;
      between = '';
    } else if (first === ',') {
      if (!hidden) between = `,\n${'  '.repeat(depth)}`;
      if (depth === 1) hidden = false;
      keyNext = true;
    } else if (first === ':') {
      if (!hidden) between = ': ';
    } else {
      if (!hidden) {
        out += between + cut(token, room.stringCharsMax);
        between = '';
      }
      if (first === '{' || first === '[') {
        depth += 1;
        if (!hidden) between = `\n${'  '.repeat(depth)}`;
        keyNext = first === '{';
      }
    }
  }
  return out;
}

/** A string of JSON that says how much of it is left out; never cut within an escape. */
function cut(token: string, charsMax: number): string {
  if (token.length - 2 <= charsMax || token.charAt(0) !== '"') return token;
  const kept = token.slice(0, charsMax + 1).replace(/\\+(u[\da-fA-F]{0,3})?$/, '');
  return `${kept}… and ${token.length - 1 - kept.length} characters more"`;
}

/** Where the value at `path` begins in indented JSON. */
export function placeOf(text: string, path: readonly (string | number)[]): number | undefined {
  const steps: { key: string | number; array: boolean }[] = [];
  let awaitsKey = false;
  for (const match of text.matchAll(TOKENS)) {
    const [token] = match;
    const top = steps.at(-1);
    const isValue = !/^[:,}\]]/.test(token) && !(awaitsKey && token.startsWith('"'));
    if (isValue && steps.length === path.length && steps.every((step, at) => step.key === path[at])) return match.index;
    if (token === '{' || token === '[') {
      steps.push({ key: token === '[' ? 0 : '', array: token === '[' });
      awaitsKey = token === '{';
    } else if (token === '}' || token === ']') {
      steps.pop();
      awaitsKey = false;
    } else if (token === ',') {
      if (top?.array) top.key = (top.key as number) + 1;
      awaitsKey = top !== undefined && !top.array;
    } else if (awaitsKey && top) {
      top.key = JSON.parse(token);
      awaitsKey = false;
    }
  }
  return undefined;
}
