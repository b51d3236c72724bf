import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { ready as hdf5 } from 'h5wasm';
import { File, ready } from 'h5wasm/node';
import { describe, expect, it } from 'vitest';
import { openHdf5Store } from '../../src/data/hdf5-store.ts';
import { kerasFormat, readKeras } from '../../src/data/keras-file.ts';
import { openModel } from '../../src/data/model-file.ts';
import { NeuralCleanseError } from '../../src/errors.ts';
import { parseArchitecture } from '../../src/keras/architecture.ts';
import { convertKeras } from '../../src/keras/convert.ts';
import { weightsFromGroups } from '../../src/keras/weights-groups.ts';
import { input, layer, sequential } from '../keras/support.ts';
import { codeOf, temporaryFolder } from './support.ts';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
/** Not as a Buffer, whose slices share its memory. */
const fixture = async (name: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(join(fixtures, 'keras', name)));

const h5 = await fixture('sequences_1.2_h5.h5');
const archive = await fixture('transfer_2.15_keras.keras');
const tfjs = await fixture('tfjs_chain/model.json');

/** Reads bytes that stand alone. */
const read = (bytes: Uint8Array) =>
  readKeras({
    bytes,
    name: 'model',
    architecture: async () => undefined,
    neighbour: async (path) => readFile(join(fixtures, 'keras/tfjs_chain', path)),
  });

const net = sequential(input('x', 3), layer('Dense', 'dense', { units: 2 }));

/** A file of weights for {@link net}: in groups, as until Keras 2, or by path. */
async function weightsFile(path: string, byPath = false): Promise<void> {
  await ready;
  const file = new File(path, 'w');
  const dataset = (name: string, shape: number[]) =>
    file.create_dataset({
      name,
      shape,
      data: Float32Array.from({ length: shape[0]! * (shape[1] ?? 1) }, (_, i) => i),
    });
  if (byPath) {
    for (const group of ['layers', 'layers/dense', 'layers/dense/vars']) file.create_group(group);
    dataset('layers/dense/vars/0', [3, 2]);
    dataset('layers/dense/vars/1', [2]);
  } else {
    file.create_attribute('layer_names', ['dense']);
    file.create_group('dense').create_attribute('weight_names', ['kernel:0', 'bias:0']);
    dataset('dense/kernel:0', [3, 2]);
    dataset('dense/bias:0', [2]);
  }
  file.close();
}

describe('a file of weights', () => {
  it.each([
    ['in groups', false],
    ['by path', true],
  ])('%s takes the architecture that is named or lies beside it', async (_, byPath) => {
    const folder = await temporaryFolder({ 'other.json': JSON.stringify(net) });
    const path = join(folder, 'net.weights.h5');
    await weightsFile(path, byPath);
    expect(await codeOf(() => openModel(path))).toBe('KERAS_INCOMPLETE');

    const named = await openModel(path, { architecture: join(folder, 'other.json') });
    expect(named.format).toBe('keras');
    expect([...named.model.graph.initializers.get('dense/kernel')!.data]).toEqual([0, 1, 2, 3, 4, 5]);
    await writeFile(join(folder, 'net.json'), JSON.stringify(net));
    expect(await openModel(path)).toEqual(named);
    // Another architecture is another model.
    await writeFile(join(folder, 'net.json'), JSON.stringify(net, undefined, 1));
    expect((await openModel(path)).sha256).not.toBe(named.sha256);
  });

  it('is asked for by an architecture alone', async () => {
    const folder = await temporaryFolder({ 'net.json': JSON.stringify(net) });
    expect(await codeOf(() => openModel(join(folder, 'net.json')))).toBe('KERAS_INCOMPLETE');
  });
});

it('openModel says what a file is', async () => {
  expect((await openModel(join(fixtures, 'keras/tfjs_chain/model.json'))).format).toBe('tfjs');
  expect((await openModel(join(fixtures, 'keras/pooling_2.15_h5.h5'))).format).toBe('keras');
});

describe('a TensorFlow.js model', () => {
  const json = JSON.parse(new TextDecoder().decode(tfjs)) as {
    weightsManifest: [{ paths: string[]; weights: Record<string, unknown>[] }];
  };
  const opened = async (
    change: (group: (typeof json)['weightsManifest'][0]) => void,
    shards: Record<string, Uint8Array> = {},
  ) => {
    const changed = structuredClone(json);
    change(changed.weightsManifest[0]);
    const folder = await temporaryFolder({
      'sub/model.json': JSON.stringify(changed),
      'secret.bin': 'secret',
      ...shards,
    });
    return codeOf(() => openModel(join(folder, 'sub/model.json')));
  };

  it.each(['../secret.bin', '/etc/passwd', 'sub/../../secret.bin'])(
    'reads no file outside its folder: %s',
    async (path) => {
      expect(await opened((group) => group.paths.splice(0, group.paths.length, path))).toBe(
        'EXTERNAL_DATA_OUTSIDE',
      );
    },
  );

  it('needs all its files', async () => {
    expect(await opened(() => {})).toBe('EXTERNAL_DATA_MISSING');
  });

  it('needs them whole', async () => {
    const shards = Object.fromEntries(
      json.weightsManifest[0].paths.map((path) => [`sub/${path}`, new Uint8Array(100)]),
    );
    expect(await opened(() => {}, shards)).toBe('KERAS_FILE_INVALID');
  });

  it('cannot claim more than its files hold', async () => {
    const shards = { 'sub/a.bin': new Uint8Array(8) };
    const claim = (shape: number[]) => (group: (typeof json)['weightsManifest'][0]) => {
      group.paths = ['a.bin'];
      group.weights = [{ name: 'w', shape, dtype: 'float32' }];
    };
    expect(await opened(claim([1e5, 1e5]), shards)).toBe('KERAS_FILE_INVALID');
    expect(await opened(claim([-1]), shards)).toBe('KERAS_CONFIG_INVALID');
  });

  it('that is a graph model is refused', async () => {
    const graph = strToU8(
      JSON.stringify({ format: 'graph-model', modelTopology: { node: [] }, weightsManifest: [] }),
    );
    expect(await codeOf(() => read(graph))).toBe('KERAS_LAYER_UNSUPPORTED');
  });
});

describe('damage is named', () => {
  it.each([0.1, 0.3, 0.5, 0.7, 0.9, 0.99])('in a .h5 file cut off at %f', async (part) => {
    expect(await codeOf(() => read(h5.subarray(0, Math.floor(h5.length * part))))).toBe('KERAS_FILE_INVALID');
  });

  it.each([0.1, 0.5, 0.99])('in a .keras file cut off at %f', async (part) => {
    expect(await codeOf(() => read(archive.subarray(0, Math.floor(archive.length * part))))).toBe(
      'KERAS_FILE_INVALID',
    );
  });

  const entries = unzipSync(archive);
  const weights = entries['model.weights.h5']!;

  it.each([
    ['without weights', { 'config.json': entries['config.json']! }],
    ['without an architecture', { 'model.weights.h5': weights }],
    [
      'with a name that leads out of it',
      { '../config.json': entries['config.json']!, 'model.weights.h5': weights },
    ],
    [
      'with weights that are none',
      { 'config.json': entries['config.json']!, 'model.weights.h5': strToU8('none') },
    ],
  ])('in a .keras file %s', async (_, files) => {
    expect(await codeOf(() => read(zipSync(files)))).toBe('KERAS_FILE_INVALID');
  });

  it.each(['config.json', 'model.weights.h5'])(
    'in a .keras file whose %s would unpack to far more',
    async (name) => {
      const bomb = zipSync({ ...entries, [name]: new Uint8Array(2 ** 26 + 1) });
      expect(bomb.length).toBeLessThan(2 ** 18);
      expect(await codeOf(() => read(bomb))).toBe('KERAS_FILE_INVALID');
    },
  );

  it('in arrays that are larger than the file', async () => {
    const store = await openHdf5Store(await readFile(join(fixtures, 'hdf5/huge.h5')), 'huge.h5');
    try {
      expect(() => store.array('X_test')).toThrow('of shape [1000000000,1000,1000,3] would take');
    } finally {
      store.close();
    }
  });

  it('in lengths that claim far more memory than the file has', async () => {
    const module = await hdf5;
    const damaged = await fixture('pooling_2.15_h5.h5');
    const view = new DataView(damaged.buffer);
    // The text of the architecture: its length, then where it lies
    const reference = 1040;
    expect([5130, 2048]).toEqual([view.getUint32(reference, true), view.getUint32(reference + 4, true)]);
    const before = module.HEAPU8.length;
    for (const length of [2 ** 20, 2 ** 28, 2 ** 29, 2 ** 30, 2 ** 31 - 1]) {
      view.setUint32(reference, length, true);
      expect(await codeOf(() => read(damaged))).toBe('KERAS_FILE_INVALID');
    }
    expect(module.HEAPU8.length).toBeLessThan(Math.max(before, 2 ** 26 + 4 * damaged.length));
  });

  it.each([
    ['lzf.h5', 'is compressed with lzf'],
    ['half.h5', 'is in half precision'],
  ])('in arrays that cannot be read: %s', async (name, message) => {
    const store = await openHdf5Store(await readFile(join(fixtures, 'hdf5', name)), name);
    try {
      expect(() => store.array('X_test')).toThrow(message);
    } finally {
      store.close();
    }
  });

  /** Anything but an error of ours is a fault. */
  const isNamed = async (action: () => Promise<unknown>): Promise<boolean> => {
    const code = await codeOf(action);
    return code !== 'INTERNAL';
  };
  const changes = (length: number) =>
    fc.array(fc.tuple(fc.nat(length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
  const changed = (bytes: Uint8Array, edits: readonly [number, number][]): Uint8Array => {
    const copy = bytes.slice();
    for (const [at, value] of edits) copy[at] = value;
    return copy;
  };

  it.each([
    ['.h5 file', h5, (bytes: Uint8Array) => bytes, 150],
    [
      '.keras file',
      weights,
      (bytes: Uint8Array) => zipSync({ ...entries, 'model.weights.h5': bytes }, { level: 0 }),
      80,
    ],
    ['model.json', tfjs, (bytes: Uint8Array) => bytes, 150],
  ] as const)('wherever bytes of a %s change', async (_, bytes, wrap, numRuns) => {
    await fc.assert(
      fc.asyncProperty(changes(bytes.length), async (edits) => {
        const file = wrap(changed(bytes, edits));
        return kerasFormat(file) === undefined || isNamed(() => read(file));
      }),
      { seed: 1, numRuns },
    );
  });

  it('whatever stands in an architecture', async () => {
    const store = await openHdf5Store(h5, 'model');
    const config = JSON.parse(store.attribute('', 'model_config')![0]!) as unknown;
    const values = [null, 0, -1, 1e9, 1e300, '', 'relu', '__proto__', [], [[]], {}, [1, 1], true];
    const places = leavesOf(config);
    try {
      await fc.assert(
        fc.asyncProperty(fc.nat(places.length - 1), fc.constantFrom(...values), (place, value) =>
          isNamed(async () => {
            const { model, version } = parseArchitecture(
              JSON.stringify(replaced(config, places[place]!, value)),
              '1.2.2',
            );
            return convertKeras({ model, version }, weightsFromGroups(store, 'model_weights', model));
          }),
        ),
        { seed: 2, numRuns: 400 },
      );
    } finally {
      store.close();
    }
  });
});

type Path = readonly (string | number)[];

/** The places of all values inside a JSON value. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, item]) =>
    leavesOf(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value))
    return value.map((item: unknown, i) => (i === key ? replaced(item, rest, by) : item));
  return { ...(value as object), [key]: replaced((value as Record<string, unknown>)[key], rest, by) };
}

it('errors of a file name its path', async () => {
  const folder = await temporaryFolder({ 'cut.h5': h5.subarray(0, 5000) });
  const error: unknown = await openModel(join(folder, 'cut.h5')).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NeuralCleanseError);
  expect((error as NeuralCleanseError).message).toContain(`${join(folder, 'cut.h5')}: `);
});
