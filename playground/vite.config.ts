//! How the page is built: no plugins (Vite transforms Preact's JSX itself), and file names without a hash, so that a
//! committed build changes only where its content changes.
import { defineConfig } from 'vitest/config';

const EDITOR = /codemirror|lezer|marijn|style-mod|crelt|w3c-keyname|cm6-graphql|language-service|vscode-lang/;
const server = process.env.VIVARIUM_URL ?? 'http://127.0.0.1:4000';
const proxy = { target: server, changeOrigin: true };

export default defineConfig({
  base: '/playground/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    target: 'es2022',
    modulePreload: { polyfill: false },
    license: { fileName: 'LICENSES.md' },
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/app.js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: {
          groups: [
            { name: 'graphql', test: /node_modules\/graphql\//, priority: 2 },
            { name: 'codemirror', test: EDITOR, priority: 1 },
          ],
        },
      },
    },
  },
  server: { proxy: { '/graphql': proxy, '/admin/graphql': proxy, '/schema.graphql': proxy } },
  test: {
    include: ['test/unit/**/*.test.ts'],
    environment: 'node',
    // One copy of graphql-js: the language service requires this one, and the classes of both are compared.
    alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }],
  },
});
