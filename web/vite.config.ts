/** Bundles the web app into dist/web: files that any web server can serve as they are. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { policy } from './policy.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(at('../package.json'), 'utf8')) as { version: string };

export default defineConfig({
  root: at('.'),
  // Relative, so that the app works at any address.
  base: './',
  define: { __VERSION__: JSON.stringify(version) },
  plugins: [{ name: 'policy', transformIndexHtml: (html) => html.replace('%CSP%', policy) }],
  // By itself a worker keeps the annotations for bundlers, a kilobyte of them.
  worker: { format: 'es', rolldownOptions: { output: { comments: { annotation: false } } } },
  preview: {
    host: '127.0.0.1',
    // Without these WebAssembly has one core.
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
  build: {
    outDir: at('../dist/web'),
    emptyOutDir: true,
    target: 'es2023',
    // A file inlined as a data URI would need a wider policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 5000,
  },
});
