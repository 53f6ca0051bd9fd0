//! After the build: the fonts' licence, a record of what it was built from, and the budget, above which it fails.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Gzipped, scripts and styles together; and what the first paint waits for. */
const BUDGET_BYTES = 350_000;
const FIRST_PAINT_BYTES = 60_000;

const dist = 'dist';
const size = name => gzipSync(readFileSync(join(dist, 'assets', name)), { level: 9 }).length;

function addFontLicences() {
  const file = join(dist, 'LICENSES.md');
  let text = readFileSync(file, 'utf8').trimEnd();
  for (const font of ['@fontsource-variable/ibm-plex-sans', '@fontsource/ibm-plex-mono']) {
    if (text.includes(`## ${font}`)) continue;
    const folder = join('node_modules', font);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    text += `\n\n## ${font} - ${version} (${license})\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}`;
  }
  writeFileSync(file, `${text}\n`);
}

function inputs(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort();
}

function writeRecord() {
  const hash = createHash('sha256');
  const files = ['index.html', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', ...inputs('src')];
  for (const file of files.filter(existsSync)) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  const version = name => JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8')).version;
  const record = { inputs: hash.digest('hex'), vite: version('vite'), rolldown: version('rolldown') };
  writeFileSync(join(dist, 'BUILD.json'), `${JSON.stringify(record, null, 2)}\n`);
}

function checkBudget() {
  const files = readdirSync(join(dist, 'assets')).filter(name => /\.(js|css)$/.test(name));
  const all = files.reduce((sum, name) => sum + size(name), 0);
  const page = readFileSync(join(dist, 'index.html'), 'utf8');
  const first = files.filter(name => page.includes(`/assets/${name}`)).reduce((sum, name) => sum + size(name), 0);
  console.log(`gzip: ${all} bytes of ${BUDGET_BYTES}, first paint ${first} of ${FIRST_PAINT_BYTES}`);
  if (all > BUDGET_BYTES || first > FIRST_PAINT_BYTES) {
    console.error('The page is over its budget. Import less, or load it later.');
    process.exit(1);
  }
}

addFontLicences();
writeRecord();
checkBudget();
