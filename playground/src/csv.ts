//! CSV and JSON files as rows, and rows as files. What is malformed is named with its line.

export interface Rows {
  columns: string[];
  rows: Record<string, unknown>[];
}

/** The cells of a CSV text (RFC 4180), by line. */
export function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  let cell = '';
  let quoted = false;
  let number = 1;
  const source = text.replace(/^\uFEFF/, '');
  for (let at = 0; at < source.length; at += 1) {
    const char = source[at];
    if (quoted) {
      if (char === '"' && source[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (char === '"') quoted = false;
      else cell += char;
    } else if (char === '"' && cell === '') quoted = true;
    else if (char === ',') {
      line.push(cell);
      cell = '';
    } else if (char === '\n' || char === '\r') {
      if (char === '\r' && source[at + 1] === '\n') at += 1;
      line.push(cell);
      if (line.length > 1 || line[0] !== '') lines.push(line);
      line = [];
      cell = '';
      number += 1;
    } else cell += char;
  }
  if (quoted) throw new Error(`A quote is opened and never closed: the file breaks off at line ${number}.`);
  line.push(cell);
  if (line.length > 1 || line[0] !== '') lines.push(line);
  return lines;
}

/** A file's rows: CSV with a header, a JSON array, or a JSON object on each line. */
export function readFile(text: string): Rows {
  const begin = text.trimStart().charAt(0);
  if (begin === '[') return fromObjects(parseJson(text, 'The file'));
  if (begin === '{') {
    const lines = text.split('\n').map((line, at) => [line.trim(), at + 1] as const);
    return fromObjects(lines.filter(([line]) => line !== '').map(([line, at]) => parseJson(line, `Line ${at}`)));
  }
  const [columns, ...lines] = parseCsv(text);
  if (!columns) throw new Error('The file is empty.');
  const wrong = lines.findIndex(line => line.length !== columns.length);
  if (wrong >= 0) {
    throw new Error(`Record ${wrong + 1} has ${lines[wrong]?.length} cells, and the header names ${columns.length}.`);
  }
  return {
    columns,
    // In a CSV file nothing is the same as an empty text: it is left out.
    rows: lines.map(line =>
      Object.fromEntries(columns.map((column, at) => [column, line[at]]).filter(([, value]) => value !== '')),
    ),
  };
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function fromObjects(values: unknown): Rows {
  if (!Array.isArray(values) || values.some(one => one === null || typeof one !== 'object' || Array.isArray(one))) {
    throw new Error('Every record must be a JSON object.');
  }
  const columns = new Set<string>();
  for (const value of values) for (const name of Object.keys(value)) columns.add(name);
  return { columns: [...columns], rows: values };
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Rows as CSV. Objects and lists are written as JSON. */
export function toCsv(columns: readonly string[], rows: readonly Record<string, unknown>[]): string {
  const cell = (value: unknown) =>
    value === null || value === undefined
      ? ''
      : quoted(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return rows.map(row => `${columns.map(name => cell(row[name])).join(',')}\r\n`).join('');
}
