import { expect, it } from 'vitest';
import { blobTree } from '../../src/data/blob-tree.ts';

const file = (path: string, text: string) => ({ path, blob: new Blob([text]) });

it('lists files and folders without hidden ones, and reads parts', async () => {
  const tree = blobTree('given', [
    file('b/2.png', 'two'),
    file('a/x/1.png', 'one'),
    file('.DS_Store', ''),
    file('__MACOSX/b/2.png', ''),
  ]);
  expect(tree).toMatchObject({
    name: 'given',
    files: ['a/x/1.png', 'b/2.png'],
    folders: ['a', 'a/x', 'b'],
    skipped: [],
  });
  expect(new TextDecoder().decode(await tree.read('b/2.png'))).toBe('two');
  expect(new TextDecoder().decode(await tree.slice('a/x/1.png', 1, 9))).toBe('ne');
  expect(await tree.size('a/x/1.png')).toBe(3);
});

it('says which file is gone', async () => {
  const blob = { arrayBuffer: () => Promise.reject(new Error('NotReadableError')) } as unknown as Blob;
  await expect(blobTree('', [{ path: 'a.npz', blob }]).read('a.npz')).rejects.toMatchObject({
    code: 'DATA_NOT_FOUND',
    message: expect.stringContaining('a.npz'),
  });
});
