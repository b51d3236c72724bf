/** Reads what a scan has saved: the run folder as a zip archive, or its scan.json alone. */

import { blobTree } from '../../../src/data/blob-tree.ts';
import { logName } from '../../../src/data/run-log.ts';
import { baseName, type FileTree, folderOf, joinPath } from '../../../src/data/tree.ts';
import { isZip, zipTree } from '../../../src/data/zip.ts';
import { NeuralCleanseError } from '../../../src/errors.ts';
import { reportFiles } from '../../../src/report/file-names.ts';
import type { ReportContent } from '../../../src/report/html/content.ts';
import { readReport } from '../../../src/report/html/saved-report.ts';

/** @throws NeuralCleanseError RUN_NOT_FOUND, RUN_CORRUPT, DATA_CORRUPT, TRIGGER_INVALID */
export async function readSavedRun(file: File): Promise<ReportContent> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const tree = isZip(bytes)
    ? zipTree(bytes, file.name)
    : blobTree(file.name, [{ path: reportFiles.json, blob: file }]);
  const folder = runFolder(tree);
  const content =
    folder === undefined
      ? undefined
      : await readReport({
          name: file.name,
          async read(name) {
            const path = joinPath(folder, name);
            return tree.files.includes(path) ? tree.read(path) : undefined;
          },
        });
  if (content) return content;
  throw new NeuralCleanseError('RUN_NOT_FOUND', `${file.name} holds no saved run.`, {
    hint: 'Give the zip archive of a run folder, or its scan.json.',
  });
}

/** Archives have the folder itself, or what is in it. */
function runFolder({ files }: FileTree): string | undefined {
  const named = files.filter((path) => [reportFiles.json, logName].includes(baseName(path)));
  const folders = named.map(folderOf).sort((a, b) => a.length - b.length);
  return folders[0];
}
