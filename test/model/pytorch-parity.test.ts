import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareWithReference } from '../support/reference.ts';

const fixtures = join(import.meta.dirname, '../fixtures/gradients');
const nets = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

describe('gradients against PyTorch autograd (float64)', () => {
  it('has fixtures', () => {
    expect(nets.length).toBeGreaterThanOrEqual(15);
  });

  it.each(nets)('%s', async (net) => {
    const deviation = await compareWithReference(join(fixtures, net));
    expect(deviation.tensors).toBeGreaterThan(4);
    expect(deviation.logits).toBeLessThan(1e-5);
    expect(deviation.input).toBeLessThan(1e-4);
    expect(deviation.weights).toBeLessThan(1e-4);
  });
});
