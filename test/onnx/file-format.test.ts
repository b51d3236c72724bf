import { strToU8, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { errorOf } from './errors.ts';

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  );

const someBytes = Array.from({ length: 200 }, (_, i) => (i * 37) % 256);

/** The beginning of a SavedModel: schema version 1, one meta graph with its meta info. */
const savedModel = bytes([0x08, 0x01, 0x12, 0x10, 0x0a, 0x0e, 0x12, 0x05], 'serve', [0x22, 0x05], '2.11.0');

/** A frozen graph: a node with name and op. */
const frozenGraph = bytes([0x0a, 0x10, 0x0a, 0x01], 'x', [0x12, 0x0b], 'Placeholder');

describe('another format is named, with what to do about it', () => {
  test.each<[string, Uint8Array, string, RegExp]>([
    ['an empty file', bytes(), 'empty', /again/],
    ['text', bytes('The quick brown fox\njumps over the lazy dog.\n'), 'a text file', /\.onnx/],
    ['JSON', bytes('{"layers": [1, 2, 3]}'), 'a text file', /\.onnx/],
    ['HTML', bytes('\n <!DOCTYPE html>\n<html><body>404</body></html>'), 'a web page', /download/],
    ['HTML after a byte order mark', bytes([0xef, 0xbb, 0xbf], '<html>'), 'a web page', /download/],
    ['XML', bytes('<?xml version="1.0"?><Error/>'), 'a web page', /download/],
    [
      'a Git LFS pointer',
      bytes('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'),
      'a Git LFS pointer, not the model itself',
      /git lfs pull/,
    ],
    ['PNG', bytes([0x89], 'PNG\r\n', [0x1a, 0x0a], someBytes), 'a PNG image', /\.onnx/],
    ['JPEG', bytes([0xff, 0xd8, 0xff, 0xe0], someBytes), 'a JPEG image', /\.onnx/],
    ['HDF5', bytes([0x89], 'HDF\r\n', [0x1a, 0x0a], someBytes), 'an HDF5 file', /openModel/],
    [
      'Keras 3',
      zipSync({
        'metadata.json': strToU8('{}'),
        'config.json': strToU8('{}'),
        'model.weights.h5': strToU8(''),
      }),
      'a Keras 3 archive',
      /openModel/,
    ],
    [
      'PyTorch',
      zipSync({ 'net/data.pkl': new Uint8Array([0x80, 2]), 'net/data/0': new Uint8Array(64) }),
      'a PyTorch archive',
      /torch\.onnx\.export/,
    ],
    [
      'TorchScript',
      zipSync({ 'net/constants.pkl': new Uint8Array(8) }),
      'a PyTorch archive',
      /torch\.onnx\.export/,
    ],
    [
      'an old PyTorch file',
      bytes([0x80, 0x02, 0x8a, 0x0a], someBytes),
      'a Python pickle',
      /torch\.onnx\.export/,
    ],
    ['npz', zipSync({ 'x.npy': new Uint8Array(80) }), 'a NumPy archive', /\.onnx/],
    ['npy', bytes([0x93], 'NUMPY', [1, 0], someBytes), 'a NumPy array', /\.onnx/],
    ['a zip of something', zipSync({ 'model.onnx': new Uint8Array(80) }), 'a zip archive', /[Uu]npack/],
    ['gzip', bytes([0x1f, 0x8b, 0x08], someBytes), 'a gzip archive', /[Uu]npack/],
    ['TensorFlow Lite', bytes([0x1c, 0, 0, 0], 'TFL3', someBytes), 'a TensorFlow Lite model', /tf2onnx/],
    ['SavedModel', savedModel, 'a TensorFlow SavedModel', /tf2onnx/],
    ['a frozen TensorFlow graph', frozenGraph, 'a TensorFlow graph', /tf2onnx/],
    ['the ORT format', bytes([0x24, 0, 0, 0], 'ORTM', someBytes), 'a model in the ORT format', /\.onnx/],
    [
      'safetensors',
      bytes([0x40, 0, 0, 0, 0, 0, 0, 0], '{"__metadata__":{}}'),
      'a safetensors file',
      /weights/,
    ],
    ['noise', bytes([0xff, 0xff, 0xff], someBytes), 'not an ONNX model', /\.onnx/],
  ])('%s', (_, file, name, hint) => {
    const error = errorOf(() => readModel(file));
    expect(error?.code).toBe('MODEL_NOT_ONNX');
    expect(error?.message).toContain(`The file is ${name}.`);
    expect(error?.hint).toMatch(hint);
  });
});
