/**
 * The Content-Security-Policy of the app: nothing is fetched from elsewhere, and nothing sent there.
 *
 * Workers are started from blobs that import a script of the app, since only such workers inherit the policy of the page.
 */
export const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
