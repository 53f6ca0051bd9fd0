//! JSON as text: indented without reading a number, for a number keeps all its digits.

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g;

/** Indents JSON by two. Leaves out the members of the top object that are named. */
export function indent(text: string, without: readonly string[] = []): string {
  let out = '';
  let depth = 0;
  /** Within a member that is left out. */
  let hidden = false;
  /** What stands before the next token that is shown. */
  let between = '';
  let keyNext = false;
  for (const [token] of text.matchAll(TOKENS)) {
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
        out += between + token;
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
