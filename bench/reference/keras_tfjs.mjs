/**
 * Layers models of TensorFlow.js, plain and quantised, and what it answers: NAME/model.json with shards, and NAME.npz (x0, y0).
 *
 *   npm install --prefix TOOLS @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-layers@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0
 *   node bench/reference/keras_tfjs.mjs TOOLS DIR
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { strToU8, zipSync } from 'fflate';

const [tools, folder] = process.argv.slice(2);
const require = createRequire(join(resolve(tools), 'package.json'));
const tf = require('@tensorflow/tfjs-core');
const {
  layers: L,
  sequential,
  model: functional,
  input: Input,
  loadLayersModel,
} = require('@tensorflow/tfjs-layers');
require('@tensorflow/tfjs-backend-cpu');

let seed = 1;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

function randomise(model) {
  for (const layer of model.layers) {
    const values = layer.getWeights().map((weight, i) => {
      const name = layer.weights[i].originalName;
      const [low, high] = /variance|gamma/.test(name) ? [0.5, 1.5] : [-0.5, 0.6];
      return tf.tensor(
        Float32Array.from({ length: weight.size }, () => low + (high - low) * random()),
        weight.shape,
      );
    });
    layer.setWeights(values);
  }
  return model;
}

const chain = () =>
  sequential({
    layers: [
      L.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', padding: 'same', inputShape: [8, 7, 3] }),
      L.batchNormalization(),
      L.maxPooling2d({ poolSize: 2 }),
      L.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2 }),
      L.leakyReLU({ alpha: 0.2 }),
      L.flatten(),
      L.dropout({ rate: 0.5 }),
      L.dense({ units: 5, activation: 'softmax' }),
    ],
  });

function branches() {
  const x = Input({ shape: [8, 7, 3] });
  const block = sequential({
    name: 'block',
    layers: [L.separableConv2d({ filters: 4, kernelSize: 3, padding: 'same', inputShape: [8, 7, 4] })],
  });
  const a = block.apply(L.conv2d({ filters: 4, kernelSize: 1 }).apply(x));
  const b = L.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'hardSigmoid' }).apply(x);
  const y = L.concatenate().apply([L.add().apply([a, b]), L.multiply().apply([a, b]), block.apply(b)]);
  return functional({
    inputs: x,
    outputs: L.dense({ units: 5, activation: 'softmax' }).apply(L.globalAveragePooling2d({}).apply(y)),
  });
}

/** Rewrites the weights as `dtype`: `q · scale + min`, or half precision. */
function quantised({ weightSpecs, weightData }, dtype) {
  const parts = [];
  let at = 0;
  const specs = weightSpecs.map((spec) => {
    const values = new Float32Array(weightData.slice(at, at + 4 * spec.shape.reduce((n, d) => n * d, 1)));
    at += 4 * values.length;
    if (dtype === 'float16') {
      const halves = Uint16Array.from(values, (v) => toHalf(v));
      parts.push(new Uint8Array(halves.buffer));
      return { ...spec, quantization: { dtype, original_dtype: 'float32' } };
    }
    const steps = dtype === 'uint8' ? 255 : 65535;
    const [min, max] = [Math.min(...values), Math.max(...values)];
    const scale = (max - min) / steps || 1;
    const Type = dtype === 'uint8' ? Uint8Array : Uint16Array;
    parts.push(new Uint8Array(Type.from(values, (v) => Math.round((v - min) / scale)).buffer));
    return { ...spec, quantization: { dtype, scale, min, original_dtype: 'float32' } };
  });
  const data = Buffer.concat(parts);
  return {
    weightSpecs: specs,
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
  };
}

/** Truncates; what is below the normal numbers becomes 0. */
function toHalf(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const exponent = ((bits >>> 23) & 0xff) - 112;
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

function npy(tensor) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tensor.shape.join(', ')},), }`;
  const text = `${header.padEnd(128 - 11, ' ')}\n`;
  const data = new Uint8Array(tensor.dataSync().buffer.slice(0));
  return Buffer.concat([Buffer.from([0x93, ...strToU8('NUMPY'), 1, 0, text.length, 0]), strToU8(text), data]);
}

async function save(name, make, dtype, shardBytes) {
  const artifacts = {};
  await randomise(make()).save(
    tf.io.withSaveHandler(async (saved) => {
      Object.assign(artifacts, saved);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  const weights = dtype === undefined ? artifacts : quantised(artifacts, dtype);
  const loaded = await loadLayersModel(
    tf.io.fromMemory({
      modelTopology: artifacts.modelTopology,
      weightSpecs: weights.weightSpecs,
      weightData: weights.weightData,
    }),
  );
  const x = tf.tensor(
    Float32Array.from({ length: 2 * 8 * 7 * 3 }, () => random() * 2 - 1),
    [2, 8, 7, 3],
  );
  const y = loaded.predict(x);

  mkdirSync(join(folder, name), { recursive: true });
  const shards = [];
  for (let start = 0; start < weights.weightData.byteLength; start += shardBytes) {
    const path = `shard${shards.length + 1}.bin`;
    writeFileSync(join(folder, name, path), Buffer.from(weights.weightData.slice(start, start + shardBytes)));
    shards.push(path);
  }
  const json = {
    format: 'layers-model',
    generatedBy: 'TensorFlow.js tfjs-layers v4.22.0',
    convertedBy: null,
    modelTopology: artifacts.modelTopology,
    weightsManifest: [{ paths: shards, weights: weights.weightSpecs }],
  };
  writeFileSync(join(folder, name, 'model.json'), JSON.stringify(json));
  writeFileSync(join(folder, `${name}.npz`), zipSync({ 'x0.npy': npy(x), 'y0.npy': npy(y) }));
  console.log(name);
}

await save('tfjs_chain', chain, undefined, 1000);
await save('tfjs_branches', branches, undefined, 1 << 22);
await save('tfjs_uint8', chain, 'uint8', 1 << 22);
await save('tfjs_uint16', branches, 'uint16', 300);
await save('tfjs_float16', chain, 'float16', 1 << 22);
