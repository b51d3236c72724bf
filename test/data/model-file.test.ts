import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openModel, saveModel } from '../../src/data/model-file.ts';
import { NeuralCleanseError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { readModel } from '../../src/onnx/read.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { DT, modelBytes, reluGraph } from '../onnx/protos.ts';
import { zoo } from '../onnx/zoo.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'model-file-'));
  folder = join(root, 'model');
  await mkdir(folder);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex');

async function failure(action: Promise<unknown>): Promise<NeuralCleanseError> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NeuralCleanseError);
  return error as NeuralCleanseError;
}

describe('openModel', () => {
  test('reads the model, its hash and its size', async () => {
    const path = join(folder, 'net.onnx');
    await writeFile(path, zoo.nested!);
    expect(await openModel(path)).toEqual({
      model: readModel(zoo.nested!),
      format: 'onnx',
      path,
      bytes: zoo.nested!.length,
      sha256: sha256(zoo.nested!),
    });
  });

  test.each([
    ['an absent file', 'absent.onnx', 'cannot be read'],
    ['a folder', '.', 'is a folder'],
  ])('%s is not found, naming the path', async (_, name, what) => {
    const path = join(folder, name);
    const error = await failure(openModel(path));
    expect(error.code).toBe('MODEL_NOT_FOUND');
    expect(error.message).toContain(`"${path}" ${what}`);
    expect(error.data).toEqual({ path });
  });

  test('what is wrong with the content is said with the path', async () => {
    const path = join(folder, 'picture.onnx');
    await writeFile(path, Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
    const error = await failure(openModel(path));
    expect(error.code).toBe('MODEL_NOT_ONNX');
    expect(error.message).toBe(`${path}: The file is a PNG image. Give a model exported as .onnx.`);
  });
});

describe('external data', () => {
  const path = () => join(folder, 'net.onnx');
  const weights = Buffer.from(new Float32Array([9, 9, 1.5, -2, 9]).buffer);

  /** A model whose one weight lies at bytes 8 to 16 of a file. */
  async function refersTo(location: string, extra: Record<string, string> = { offset: '8', length: '8' }) {
    const bytes = modelBytes({
      ...reluGraph,
      initializer: [
        {
          name: 'w',
          dims: [2n],
          dataType: DT.FLOAT,
          dataLocation: 1,
          externalData: Object.entries({ location, ...extra }).map(([key, value]) => ({ key, value })),
        },
      ],
    });
    await writeFile(path(), bytes);
    return bytes;
  }

  test.each(['weights.bin', './weights.bin', 'parts/weights.bin', 'parts/../weights.bin', '..weights.bin'])(
    'is read from %s',
    async (location) => {
      await mkdir(join(folder, 'parts'));
      await writeFile(join(folder, location), weights);
      const bytes = await refersTo(location);
      const opened = await openModel(path());
      expect(opened.model.graph.initializers.get('w')?.data).toEqual(new Float32Array([1.5, -2]));
      expect(opened.bytes).toBe(bytes.length);
      expect(opened.sha256).toBe(sha256(bytes, weights.subarray(8, 16)));
    },
  );

  test('without offset begins at the start, without length takes what the shape needs', async () => {
    await writeFile(join(folder, 'w'), weights);
    await refersTo('w', {});
    const { model } = await openModel(path());
    expect(model.graph.initializers.get('w')?.data).toEqual(new Float32Array([9, 9]));
  });

  test('a link inside the folder is followed', async () => {
    await writeFile(join(folder, 'real.bin'), weights);
    await symlink('real.bin', join(folder, 'link.bin'));
    await refersTo('link.bin');
    expect((await openModel(path())).model.graph.initializers.get('w')?.data).toEqual(
      new Float32Array([1.5, -2]),
    );
  });

  test.each([
    ['the parent folder', '../secret.bin'],
    ['the parent folder in disguise', 'parts/../../secret.bin'],
    ['a folder whose name begins alike', '../model-secret/secret.bin'],
    ['a Windows path', 'C:\\Windows\\win.ini'],
    ['a Windows share', '\\\\host\\share\\secret.bin'],
    ['a device', '/dev/zero'],
  ])('%s is refused', async (_, location) => {
    await writeFile(join(root, 'secret.bin'), weights);
    await mkdir(join(root, 'model-secret'));
    await writeFile(join(root, 'model-secret/secret.bin'), weights);
    await refersTo(location);
    const error = await failure(openModel(path()));
    expect(error.code).toBe('EXTERNAL_DATA_OUTSIDE');
    expect(error.message).toContain('Tensor "w"');
    expect(error.data.location).toBe(location);
  });

  test('an absolute path is refused even into the folder itself', async () => {
    await writeFile(join(folder, 'weights.bin'), weights);
    await refersTo(join(folder, 'weights.bin'));
    expect((await failure(openModel(path()))).code).toBe('EXTERNAL_DATA_OUTSIDE');
  });

  test.each([
    ['file', 'leak.bin', 'leak.bin'],
    ['folder', 'parts', 'parts/secret.bin'],
  ])('a link to a %s outside is refused', async (kind, link, location) => {
    await writeFile(join(root, 'secret.bin'), weights);
    await symlink(kind === 'file' ? join(root, 'secret.bin') : root, join(folder, link));
    await refersTo(location);
    expect((await failure(openModel(path()))).code).toBe('EXTERNAL_DATA_OUTSIDE');
  });

  test('a model opened through a link to its folder finds its data', async () => {
    await writeFile(join(folder, 'weights.bin'), weights);
    await refersTo('weights.bin');
    await symlink(folder, join(root, 'alias'));
    const { model } = await openModel(join(root, 'alias/net.onnx'));
    expect(model.graph.initializers.has('w')).toBe(true);
  });

  test.each([
    ['an absent file', 'absent.bin', {}, '"absent.bin", which cannot be read'],
    ['a folder', 'parts', {}, '"parts", which is not a file'],
    ['a name with a zero byte', 'a\0b', {}, 'cannot be read'],
    ['a file that ends too early', 'short.bin', {}, 'bytes 0 to 8 of the file "short.bin", which has only 7'],
    ['an offset behind the end', 'weights.bin', { offset: '24' }, 'bytes 24 to 32 of the file "weights.bin"'],
    ['a range across the end', 'weights.bin', { offset: '16', length: '8' }, 'which has only 20'],
    ['a huge offset', 'weights.bin', { offset: '9007199254740991' }, 'of the file "weights.bin"'],
  ])('%s is missing', async (_, location, extra, what) => {
    await mkdir(join(folder, 'parts'));
    await writeFile(join(folder, 'short.bin'), weights.subarray(0, 7));
    await writeFile(join(folder, 'weights.bin'), weights);
    await refersTo(location, extra as Record<string, string>);
    const error = await failure(openModel(path()));
    expect(error.code).toBe('EXTERNAL_DATA_MISSING');
    expect(error.message).toContain(what);
    expect(error.message).toContain('Tensor "w"');
  });
});

describe('saveModel', () => {
  const model = readModel(zoo.convolutional!);

  test('writes one file, replacing the old one and leaving nothing else', async () => {
    const path = join(folder, 'net.onnx');
    await writeFile(path, 'old');
    await saveModel(path, model);
    expect(await readdir(folder)).toEqual(['net.onnx']);
    expect((await openModel(path)).model).toEqual(model);
  });

  test('puts large tensors beside the model on request, where ONNX Runtime finds them too', async () => {
    const path = join(folder, 'net.onnx');
    await saveModel(path, model, { externalFromBytes: 12 });
    expect((await readdir(folder)).sort()).toEqual(['net.onnx', 'net.onnx.data']);
    // Four tensors (72, 216, 12 and 8 bytes), of which three reach 12 bytes: each begins at a page.
    expect((await readFile(`${path}.data`)).length).toBe(2 * 4096 + 12);
    expect((await openModel(path)).model).toEqual(model);
    const feeds = {
      x: new ort.Tensor(
        'float32',
        Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)),
        [1, 1, 6, 6],
      ),
    };
    const [inside, beside] = await Promise.all(
      [zoo.convolutional!, path].map(async (source) => {
        const session = await ort.InferenceSession.create(source as string);
        const results = await session.run(feeds);
        await session.release();
        return Object.values(results)[0]!.data;
      }),
    );
    expect(beside).toEqual(inside);
  });

  test('a model saved under another name keeps no tie to the old data file', async () => {
    const path = join(folder, 'net.onnx');
    await saveModel(path, model, { externalFromBytes: 1 });
    const opened = await openModel(path);
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await saveModel(join(folder, 'copy.onnx'), opened.model);
    expect((await openModel(join(folder, 'copy.onnx'))).model).toEqual(model);
  });

  test('empty tensors and strings stay in the model', async () => {
    const types = readModel(zoo.elementTypes!);
    const path = join(folder, 'types.onnx');
    await saveModel(path, types, { externalFromBytes: 0 });
    expect((await openModel(path)).model).toEqual(types);
  });

  test('a failure names the path and changes nothing', async () => {
    const absent = join(root, 'absent', 'net.onnx');
    const error = await failure(saveModel(absent, model));
    expect(error.code).toBe('FILE_NOT_WRITTEN');
    expect(error.data).toEqual({ path: absent });
    // The place of the model is taken by a folder, so the last step fails.
    const taken = join(folder, 'net.onnx');
    await mkdir(join(taken, 'inner'), { recursive: true });
    expect((await failure(saveModel(taken, model))).code).toBe('FILE_NOT_WRITTEN');
    expect(await readdir(folder)).toEqual(['net.onnx']);
    expect(await readdir(taken)).toEqual(['inner']);
  });

  test('a model too large for one file, with nothing to put beside it, leaves the old file', async () => {
    const path = join(folder, 'net.onnx');
    await saveModel(path, model);
    const before = await readFile(path);
    // One buffer of 64 MiB, forty times, inside nodes.
    const value: Tensor = { dtype: 'uint8', dims: [2 ** 26], data: new Uint8Array(2 ** 26) };
    const b = new GraphBuilder();
    const names = Array.from({ length: 40 }, () =>
      b.op('Constant', [], { value: { type: 'tensor', value } }),
    );
    b.output(names[0]!, 'uint8', [2 ** 26]);
    expect((await failure(saveModel(path, canonicalModel(b.build())))).code).toBe('MODEL_TOO_LARGE');
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(['net.onnx']);
  });
});
