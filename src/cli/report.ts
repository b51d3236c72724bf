/** `neural-cleanse report DIR` */

import { join } from 'node:path';
import type { Command } from 'commander';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { reportFiles } from '../report/formats.ts';
import { renderPage } from '../report/html/page.tsx';
import { print } from './output.ts';
import { readSavedReport } from './saved-report.ts';

export const reportCommand = (program: Command): Command =>
  program
    .command('report')
    .description('write the HTML report of a saved run, finished or not; needs neither model nor images')
    .argument('<folder>', 'a run folder')
    .option('--out <file>', `where to write it; ${reportFiles.html} in the folder by default`)
    .action(async (folder: string, { out }: { readonly out?: string }) => {
      const path = out ?? join(folder, reportFiles.html);
      const page = renderPage(await readSavedReport(folder));
      await replaceFiles([wholeFile(path, page)]);
      print(path);
    });
