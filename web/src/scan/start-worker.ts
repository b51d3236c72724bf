/** Starts the scan worker under the policy of the page. */

import type { FromScanWorker } from './protocol.ts';
import address from './worker.ts?worker&url';

/**
 * Workers of a served script take their policy from its headers, which not every server sends. One from a blob has the
 * policy of the page itself, and so can reach no other host either.
 */
export function startScanWorker(
  receive: (message: FromScanWorker) => void,
  fail: (reason: string) => void,
): Worker {
  const script = `import ${JSON.stringify(new URL(address, document.baseURI).href)};`;
  const blob = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const worker = new Worker(blob, { type: 'module', name: 'scan' });
  worker.onmessage = ({ data }: MessageEvent<FromScanWorker>) => receive(data);
  worker.onerror = ({ message }) => fail(message || 'its script could not be loaded');
  return worker;
}
