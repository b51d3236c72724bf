/** Files as people give them: chosen, or dropped as files and folders. */

import type { GivenFile } from '../../../src/data/blob-tree.ts';
import type { Given } from '../scan/protocol.ts';

let last = 0;

export const given = (name: string, files: readonly GivenFile[]): Given => ({ id: ++last, name, files });

/** From an input; one for folders says where in the folder each file lies. */
export function chosen(list: FileList): Given {
  const files = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
  return withoutWrapper(files);
}

/** Must be called before the event of the drop is over. */
export async function dropped(transfer: DataTransfer): Promise<Given> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  // A drop that came from a script has files only.
  if (entries.length === 0) return chosen(transfer.files);
  const files: GivenFile[] = [];
  for (const entry of entries) await collect(entry, '', files);
  return withoutWrapper(files);
}

async function collect(entry: FileSystemEntry, folder: string, files: GivenFile[]): Promise<void> {
  const path = `${folder}${entry.name}`;
  if (isFile(entry)) {
    files.push({ path, blob: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)) });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader returns some entries a call, and none when there are no more.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return;
    for (const child of entries) await collect(child, `${path}/`, files);
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;

/** A single folder is what was given; its name is not part of the paths. */
function withoutWrapper(files: readonly GivenFile[]): Given {
  const [first] = files;
  const folder = first?.path.includes('/') ? first.path.slice(0, first.path.indexOf('/')) : undefined;
  if (folder === undefined || !files.every(({ path }) => path.startsWith(`${folder}/`)))
    return given('', files);
  return given(
    folder,
    files.map(({ path, blob }) => ({ path: path.slice(folder.length + 1), blob })),
  );
}

/** In words: the folder, the file, or how many files. */
export const givenText = ({ name, files }: Given): string => {
  if (name !== '') return `${name}/ (${files.length === 1 ? '1 file' : `${files.length} files`})`;
  return files.length === 1 ? files[0]!.path : `${files.length} files`;
};

const modelPattern = /(\.onnx|\.onnx[._]data|\.data|\.keras|\.h5|\.hdf5|\.json|\.bin)$/i;

/** Files that were dropped beside the fields: those with endings of models, and the others. */
export function sorted({ name, files }: Given): { readonly model?: Given; readonly data?: Given } {
  const isModel = files.some(({ path }) => /(\.onnx|\.keras|\.h5|\.hdf5|model\.json)$/i.test(path));
  const models = isModel ? files.filter(({ path }) => modelPattern.test(path)) : [];
  const others = files.filter((file) => !models.includes(file));
  return {
    ...(models.length > 0 && { model: given(name, models) }),
    ...(others.length > 0 && { data: given(name, others) }),
  };
}
