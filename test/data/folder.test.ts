import { describe, expect, it } from 'vitest';
import { listImages } from '../../src/data/folder.ts';
import type { Split } from '../../src/data/splits.ts';
import { codeOf, memoryTree } from './support.ts';

/** Paths with labels, as `path=label`. */
async function listed(
  files: readonly string[] | Record<string, string>,
  split?: Split,
  emptyFolders: readonly string[] = [],
) {
  const contents = Array.isArray(files)
    ? Object.fromEntries(files.map((path) => [path, '']))
    : (files as Record<string, string>);
  const { entries, classNames, skipped } = await listImages(memoryTree(contents, emptyFolders), split);
  return {
    images: entries.map(({ path, label }) => `${path}=${label ?? ''}`),
    classNames,
    skipped: skipped.map(({ path }) => path),
  };
}

const heading = 'Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n';

describe('class folders', () => {
  it('have their number as label, also with zeros before it and with gaps', async () => {
    expect(await listed(['00000/a.png', '00003/b.JPG', '00012/c.webp', '00012/d.ppm'])).toMatchObject({
      images: ['00000/a.png=0', '00003/b.JPG=3', '00012/c.webp=12', '00012/d.ppm=12'],
      skipped: [],
    });
    expect((await listed(['00/a.png', '02/a.png'])).classNames).toEqual(['00', '1', '02']);
  });

  it('are numbers, not text: 10 comes after 9', async () => {
    expect((await listed(['9/a.png', '10/a.png'])).images).toEqual(['10/a.png=10', '9/a.png=9']);
  });

  it('are numbered in sorted order where they have names', async () => {
    expect(await listed(['stop/a.png', 'Yield/a.png', 'go/a.png'])).toMatchObject({
      images: ['Yield/a.png=0', 'go/a.png=1', 'stop/a.png=2'],
      classNames: ['Yield', 'go', 'stop'],
    });
  });

  it('have names if not all are numbers or two are the same number', async () => {
    expect((await listed(['1/a.png', 'x/a.png'])).images).toEqual(['1/a.png=0', 'x/a.png=1']);
    expect((await listed(['01/a.png', '1/a.png'])).classNames).toEqual(['01', '1']);
  });

  it('count without images too, so that the others keep their numbers', async () => {
    const { images, classNames } = await listed(['a/1.png', 'c/1.png'], undefined, ['b']);
    expect([images, classNames]).toEqual([
      ['a/1.png=0', 'c/1.png=2'],
      ['a', 'b', 'c'],
    ]);
  });

  it('hold images at any depth, and other files do not matter', async () => {
    expect((await listed(['0/x/y/a.png', '1/b.png', '1/notes.txt', 'README.md'])).images).toEqual([
      '0/x/y/a.png=0',
      '1/b.png=1',
    ]);
  });

  it('may be wrapped, as archives have them', async () => {
    expect((await listed(['set/images/0/a.png', 'set/images/1/a.png', 'set/LICENSE'])).images).toEqual([
      'set/images/0/a.png=0',
      'set/images/1/a.png=1',
    ]);
  });

  it('may be a single one', async () => {
    expect((await listed(['7/a.png', '7/b.png'])).images).toEqual(['7/a.png=7', '7/b.png=7']);
  });

  it('leave out images beside them', async () => {
    expect(await listed(['0/a.png', '1/a.png', 'preview.png'])).toMatchObject({
      images: ['0/a.png=0', '1/a.png=1'],
      skipped: ['preview.png'],
    });
  });
});

describe('folders of parts', () => {
  const files = ['train/0/a.png', 'train/1/b.png', 'test/0/c.png', 'val/1/d.png'];

  it('give the wanted part, the test part by default', async () => {
    expect((await listed(files)).images).toEqual(['test/0/c.png=0']);
    expect((await listed(files, 'train')).images).toEqual(['train/0/a.png=0', 'train/1/b.png=1']);
    expect((await listed(files.filter((path) => !path.startsWith('test')))).images).toEqual([
      'val/1/d.png=1',
    ]);
  });

  it('are not classes, even alone', async () => {
    expect((await listed(['train/cat/a.png', 'train/dog/a.png'])).images).toEqual([
      'train/cat/a.png=0',
      'train/dog/a.png=1',
    ]);
    expect(await codeOf(() => listed(['train/cat/a.png'], 'test'))).toBe('DATA_NOT_FOUND');
  });
});

describe('a flat folder', () => {
  it('has no labels', async () => {
    expect((await listed(['b.png', 'a.ppm', 'notes.txt'])).images).toEqual(['a.ppm=', 'b.png=']);
    expect((await listed(['images/a.png', 'images/b.png'])).images).toEqual([
      'images/a.png=',
      'images/b.png=',
    ]);
  });

  it.each(['file,label\na.png,3\nb.png,0\n', 'a.png;3\nb.png;0', 'a.png\t3\nb.png\t0'])(
    'has those of labels.csv: %j',
    async (text) => {
      expect((await listed({ 'a.png': '', 'b.png': '', 'labels.csv': text })).images).toEqual([
        'a.png=3',
        'b.png=0',
      ]);
    },
  );

  it('has those of labels.txt, and names are numbered in sorted order', async () => {
    expect(
      await listed({
        'a.png': '',
        'b.png': '',
        'c.png': '',
        'labels.txt': 'a.png stop\nb.png go\nc.png stop',
      }),
    ).toMatchObject({
      images: ['a.png=1', 'b.png=0', 'c.png=1'],
      classNames: ['go', 'stop'],
    });
  });

  it('keeps negative labels, which the check against the classes names', async () => {
    expect((await listed({ 'a.png': '', 'labels.csv': 'a.png,-1' })).images).toEqual(['a.png=-1']);
  });

  it('leaves out what is only here or only there', async () => {
    expect(
      await listed({ 'a.png': '', 'b.png': '', 'c.png': '', 'labels.csv': 'a.png,1\nc.png,\ngone.png,2' }),
    ).toMatchObject({
      images: ['a.png=1'],
      skipped: ['gone.png', 'b.png', 'c.png'],
    });
  });

  it('is refused without images', async () => {
    expect(await codeOf(() => listed([]))).toBe('DATA_EMPTY');
    expect(await codeOf(() => listed(['a.txt']))).toBe('DATA_EMPTY');
  });
});

describe('GTSRB folders', () => {
  const training = {
    'Final_Training/Images/00000/00001_00013.ppm': '',
    'Final_Training/Images/00000/GT-00000.csv': `${heading}00001_00013.ppm;36;36;5;6;31;31;0\n`,
    'Final_Training/Images/00014/00000_00000.ppm': '',
    'Final_Training/Images/00014/GT-00014.csv': `${heading}00000_00000.ppm;30;30;5;5;25;25;14\n`,
  };
  const testing = {
    'Final_Test/Images/00000.ppm': '',
    'Final_Test/Images/00001.ppm': '',
    'Final_Test/Images/GT-final_test.csv': `${heading}00000.ppm;53;54;6;5;48;49;16\n00001.ppm;42;45;5;5;36;40;1\n`,
    'Final_Test/Images/GT-final_test.test.csv': `${heading.replace(';ClassId', '')}00000.ppm;53;54;6;5;48;49\n00001.ppm;42;45;5;5;36;40\n`,
  };
  const trained = [
    'Final_Training/Images/00000/00001_00013.ppm=0',
    'Final_Training/Images/00014/00000_00000.ppm=14',
  ];
  const tested = ['Final_Test/Images/00000.ppm=16', 'Final_Test/Images/00001.ppm=1'];

  it('have the classes of their tables', async () => {
    expect((await listed(training)).images).toEqual(trained);
    expect((await listed(testing)).images).toEqual(tested);
  });

  it('give the wanted part', async () => {
    expect((await listed({ ...training, ...testing })).images).toEqual(tested);
    expect((await listed({ ...training, ...testing }, 'train')).images).toEqual(trained);
    expect(await codeOf(() => listed(training, 'test'))).toBe('DATA_NOT_FOUND');
  });

  it('may be the class folders alone', async () => {
    const alone = Object.fromEntries(
      Object.entries(training).map(([path, text]) => [path.replace('Final_Training/Images/', ''), text]),
    );
    expect((await listed(alone, 'train')).images).toEqual([
      '00000/00001_00013.ppm=0',
      '00014/00000_00000.ppm=14',
    ]);
  });

  it('may lack the classes of the test images', async () => {
    const { 'Final_Test/Images/GT-final_test.csv': _, ...unlabelled } = testing;
    expect((await listed(unlabelled)).images).toEqual([
      'Final_Test/Images/00000.ppm=',
      'Final_Test/Images/00001.ppm=',
    ]);
  });

  it('may be those of the Kaggle copy', async () => {
    const columns = 'Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n';
    const kaggle = {
      'Meta/0.png': '',
      'Meta.csv': 'Path,ClassId,ShapeId,ColorId,SignId\nMeta/0.png,0,1,0,3.29\n',
      'Test/00000.png': '',
      'Test.csv': `${columns}53,54,6,5,48,49,16,Test/00000.png\n`,
      'Train/20/a.png': '',
      'Train.csv': `${columns}27,26,5,5,22,20,20,Train/20/a.png\n`,
    };
    expect((await listed(kaggle)).images).toEqual(['Test/00000.png=16']);
    expect((await listed(kaggle, 'train')).images).toEqual(['Train/20/a.png=20']);
  });

  it('leave out rows without an image, and paths that lead elsewhere', async () => {
    const table = `${heading}a.ppm;9;9;1;1;8;8;3\ngone.ppm;9;9;1;1;8;8;3\n../../etc/passwd;9;9;1;1;8;8;3\n`;
    expect(await listed({ 'a.ppm': '', 'GT-00003.csv': table })).toEqual({
      images: ['a.ppm=3'],
      classNames: undefined,
      skipped: ['gone.ppm', '../../etc/passwd'],
    });
  });
});
