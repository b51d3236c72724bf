/** The kept run as a zip archive of its folder. */

import { Zip, ZipDeflate } from 'fflate';
import { logName } from '../../../src/data/run-log.ts';
import type { RunFileStore } from './run-files.ts';
import { logOf } from './stored-log.ts';

export interface SavedRun {
  /** File name. */
  readonly name: string;
  readonly zip: Blob;
}

/** File by file, since the triggers of thousands of labels need not fit into memory twice. */
export async function zipRun(store: RunFileStore): Promise<SavedRun> {
  const inputs = (await store.inputs())!;
  const { folder } = inputs;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    chunks.push(new Uint8Array(chunk));
  });
  const add = (name: string, bytes: Uint8Array): void => {
    const file = new ZipDeflate(`${folder}/${name}`, { level: 6 });
    file.mtime = inputs.startedAt;
    zip.add(file);
    file.push(bytes, true);
  };
  add(logName, await logOf(store, inputs.header));
  for (const name of await store.names()) add(name, (await store.read(name))!);
  zip.end();
  return { name: `${folder}.zip`, zip: new Blob(chunks, { type: 'application/zip' }) };
}
