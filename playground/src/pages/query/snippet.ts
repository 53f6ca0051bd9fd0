//! The same request for a shell.

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The request as a curl command. Variables that are no JSON are left out. */
export function curl(endpoint: string, query: string, variables: string, headers: Record<string, string>): string {
  let body = `{"query":${JSON.stringify(query)}`;
  if (variables.trim()) body += `,"variables":${variables.replace(/\s*\n\s*/g, ' ').trim()}`;
  body += '}';
  const lines = [`curl -s ${endpoint}`, `-H 'content-type: application/json'`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  lines.push(`-d ${quoted(body)}`);
  return lines.join(' \\\n  ');
}
