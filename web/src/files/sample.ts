/** The sample that is served with the app: handwritten digits, and a network with a backdoor. */

import data from '../../../samples/digits.npz?url';
import model from '../../../samples/digits.onnx?url';
import type { Given } from '../scan/protocol.ts';
import { given } from './given.ts';

export const sampleModel = (): Promise<Given> => fetched('digits.onnx', model);

export const sampleData = (): Promise<Given> => fetched('digits.npz', data);

async function fetched(name: string, address: string): Promise<Given> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${name} cannot be fetched: ${response.status}.`);
  return given('', [{ path: name, blob: await response.blob() }]);
}
