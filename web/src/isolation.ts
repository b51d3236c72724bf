/** What the page's own headers and the machine allow. */

/** Cores that WebAssembly may use: one where the page is not cross-origin isolated. */
export const defaultThreads = (): number =>
  crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
