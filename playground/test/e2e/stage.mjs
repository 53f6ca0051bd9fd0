//! A real server in a folder of its own, and a browser that watches what a page must never do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const BINARY = process.env.VIVARIUM_BINARY ?? '../target/debug/vivarium';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Why nothing can be tested here, or nothing. */
export const skip = existsSync(CHROMIUM) ? false : `${CHROMIUM} is missing: install the package chromium`;

export const SHOP = readFileSync(new URL('../../../examples/shop/schema.graphql', import.meta.url), 'utf8');

/** A server of one node. `stop` and `start` restart it on the same port and data. */
export class Server {
  #process;
  constructor(schema) {
    this.folder = mkdtempSync(join(tmpdir(), 'vivarium-e2e-'));
    this.port = 0;
    if (schema) writeFileSync(join(this.folder, 'schema.graphql'), schema);
    this.schema = schema && join(this.folder, 'schema.graphql');
  }

  async start() {
    const args = ['serve', '--data', join(this.folder, 'data'), '--listen', `127.0.0.1:${this.port}`];
    if (this.schema) args.push('--schema', this.schema);
    this.#process = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface({ input: this.#process.stdout })) {
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) {
        this.port = Number(found[1]);
        break;
      }
    }
    assert.notEqual(this.port, 0, 'the server did not start');
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    const ended = new Promise(resolve => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    await ended;
  }

  data(query, variables) {
    return this.#post('/graphql', query, variables);
  }

  /** Applies a schema, as another page would. */
  async apply(sdl) {
    const text = 'mutation ($sdl: String!) { applySchema(sdl: $sdl) { __typename } }';
    const { applySchema } = await this.#post('/admin/graphql', text, { sdl });
    assert.equal(applySchema.__typename, 'AppliedSchema');
  }

  async #post(path, query, variables) {
    const response = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const answer = await response.json();
    assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
    return answer.data;
  }

  /** Fills the shop. */
  createCustomers(customers) {
    const text = 'mutation ($data: [CustomerCreate!]!) { createCustomers(data: $data) { affectedCount } }';
    return this.data(text, { data: customers });
  }

  async remove() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts a browser for a file of tests. */
export const browser = () =>
  chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });

/** What a page did that it must not. `allowed` are pieces of console messages that the test provokes. */
export class Watched {
  constructor(context, page, url) {
    this.context = context;
    this.page = page;
    this.url = url;
    this.wrong = [];
    page.on('request', request => {
      const to = new URL(request.url());
      if (to.origin !== url && to.protocol !== 'data:' && to.protocol !== 'blob:')
        this.wrong.push(`asked ${request.url()}`);
    });
    page.on('console', message => {
      if (message.type() === 'error') this.wrong.push(`console: ${message.text()}`);
    });
    page.on('pageerror', error => this.wrong.push(`thrown: ${error.message}`));
  }

  /** Nothing wrong so far, but for what holds one of `allowed`. */
  async clean(...allowed) {
    const violations = await this.page.evaluate(() => window.violations);
    const wrong = [...this.wrong, ...violations].filter(one => !allowed.some(piece => one.includes(piece)));
    assert.deepEqual(wrong, []);
  }

  /** axe finds nothing, up to WCAG 2.2 AA. */
  async accessible(what) {
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(async () => {
      const result = await window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      });
      return result.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 120)).join(' | ')}`);
    });
    assert.deepEqual(found, [], what);
  }
}

/** Opens a page of the server. */
export async function open(chrome, server, { hash = '', scheme = 'dark', width = 1440, height = 900, context } = {}) {
  const own = context ?? (await chrome.newContext({ colorScheme: scheme, viewport: { width, height } }));
  await own.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  const page = await own.newPage();
  page.setDefaultTimeout(15_000);
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', event => {
      // Chromium itself tries to keep an inline style when all is selected and typed over; nothing is to be seen of it.
      const inEditor = event.target instanceof Element && event.target.closest('.cm-content');
      if (event.effectiveDirective === 'style-src-attr' && inEditor) return;
      window.violations.push(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  const watched = new Watched(own, page, server.url);
  await page.goto(`${server.url}/${hash}`);
  return watched;
}

/** Replaces the text of an editor, as a person would. */
export async function write(page, label, text) {
  const content = page.locator(`.cm-content[aria-label="${label}"]`);
  await content.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

export const textOf = (page, label) =>
  page
    .locator(`.cm-content[aria-label="${label}"]`)
    .evaluate(element => [...element.querySelectorAll('.cm-line')].map(line => line.textContent).join('\n'));

/** Waits until an editor shows something. */
export const shows = (page, label, text) =>
  page.waitForFunction(
    ([name, wanted]) => document.querySelector(`.cm-content[aria-label="${name}"]`)?.textContent.includes(wanted),
    [label, text],
  );

/** How long a page may do nothing but work: the budget of the design. */
export const TASK_MS_MAX = 1_000;

/**
 * Watches from now on how long pages of this browser do nothing but work. The answer ends that: the longest such time, in
 * milliseconds of a processor, which a machine that does other things makes no longer.
 */
export async function watchTasks(chrome) {
  await chrome.startTracing(undefined, { categories: ['toplevel'] });
  return async () => {
    const { traceEvents } = JSON.parse((await chrome.stopTracing()).toString());
    const threadOf = ({ pid, tid }) => `${pid}.${tid}`;
    const named = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
    const pages = new Set(named.map(threadOf));
    const tasks = traceEvents.filter(event => event.name.endsWith('RunTask') && pages.has(threadOf(event)));
    assert.ok(tasks.length > 0, 'the trace tells of no task');
    return tasks.reduce((longest, { tdur = 0 }) => Math.max(longest, tdur / 1000), 0);
  };
}

/** The keys that a test named `@shots` looks at are in this folder, when there is one. */
export async function shot(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}
