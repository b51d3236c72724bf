/** The files of the run at hand: kept by the browser, or in memory where it keeps nothing. */

import type { ImageSet } from '../../../src/data/dataset.ts';
import type { PreflightReport } from '../../../src/detect/preflight.ts';
import type { LabelRecord } from '../../../src/report/label-record.ts';
import type { Provider } from '../../../src/runtime/session.ts';
import type { CheckOptions, Given, ScanOptions } from './protocol.ts';

/** All that a run was made of, so that it can go on after the page was closed. */
export interface KeptInputs {
  readonly model: Given;
  readonly modelName: string;
  /** What its run folder is called. */
  readonly folder: string;
  readonly images: ImageSet;
  readonly dataSha256: string;
  readonly check: CheckOptions;
  readonly scan: ScanOptions;
  readonly preflight: PreflightReport;
  readonly provider: Provider;
  /** The first line of the log. */
  readonly header: Readonly<Record<string, unknown>>;
  readonly labels: number;
  /** ISO 8601 */
  readonly startedAt: string;
}

export interface RunFileStore {
  /** Forgets the run before, and begins this one. */
  begin(inputs: KeptInputs): Promise<void>;
  /** Replaces files, all or none. */
  write(files: ReadonlyMap<string, Uint8Array>): Promise<void>;
  append(record: LabelRecord): Promise<void>;
  read(name: string): Promise<Uint8Array | undefined>;
  names(): Promise<string[]>;
  records(): Promise<LabelRecord[]>;
  inputs(): Promise<KeptInputs | undefined>;
}

const stores = { inputs: 'inputs', records: 'records', files: 'files' } as const;
const all = Object.values(stores);
const current = 'current';

/** Opens the browser's store. Rejects where there is none, as in some private windows. */
export function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('neural-cleanse', 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(stores.inputs);
    request.result.createObjectStore(stores.records, { autoIncrement: true });
    request.result.createObjectStore(stores.files);
  };
  return settled(request);
}

export class KeptFiles implements RunFileStore {
  private readonly database: IDBDatabase;

  constructor(database: IDBDatabase) {
    this.database = database;
  }

  async begin(inputs: KeptInputs): Promise<void> {
    await this.change(all, (of) => {
      for (const name of all) of(name).clear();
      of(stores.inputs).put(inputs, current);
    });
  }

  async write(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.change([stores.files], (of) => {
      for (const [name, bytes] of files) of(stores.files).put(bytes, name);
    });
  }

  async append(record: LabelRecord): Promise<void> {
    await this.change([stores.records], (of) => of(stores.records).add(record));
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return settled(this.from(stores.files).get(name));
  }

  async names(): Promise<string[]> {
    return (await settled(this.from(stores.files).getAllKeys())) as string[];
  }

  records(): Promise<LabelRecord[]> {
    return settled(this.from(stores.records).getAll());
  }

  inputs(): Promise<KeptInputs | undefined> {
    return settled(this.from(stores.inputs).get(current));
  }

  /** Forgets the run. */
  async clear(): Promise<void> {
    await this.change(all, (of) => {
      for (const name of all) of(name).clear();
    });
  }

  private from(name: string): IDBObjectStore {
    return this.database.transaction(name).objectStore(name);
  }

  /** Settles once what `work` did is on the disk. */
  private change(names: readonly string[], work: (of: (name: string) => IDBObjectStore) => void) {
    const transaction = this.database.transaction(names, 'readwrite', { durability: 'strict' });
    return new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      work((name) => transaction.objectStore(name));
    });
  }
}

export class MemoryFiles implements RunFileStore {
  private readonly files = new Map<string, Uint8Array>();
  private readonly log: LabelRecord[] = [];
  private kept: KeptInputs | undefined;

  async begin(inputs: KeptInputs): Promise<void> {
    this.kept = inputs;
  }

  async write(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const [name, bytes] of files) this.files.set(name, bytes);
  }

  async append(record: LabelRecord): Promise<void> {
    this.log.push(record);
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name);
  }

  async names(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async records(): Promise<LabelRecord[]> {
    return [...this.log];
  }

  async inputs(): Promise<KeptInputs | undefined> {
    return this.kept;
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
