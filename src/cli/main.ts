#!/usr/bin/env node
/** The command line. Each command lives in a file of its own. */

import { Command, CommanderError } from 'commander';
import { convertCommand } from './convert.ts';
import { evaluateCommand } from './evaluate.ts';
import { exitCodes } from './exit-codes.ts';
import { filterCommand } from './filter.ts';
import { injectCommand } from './inject.ts';
import { inspectCommand } from './inspect.ts';
import { marginsCommand } from './margins.ts';
import { mitigateCommand } from './mitigate.ts';
import { outliersCommand } from './outliers.ts';
import { fail } from './output.ts';
import { pruneCommand } from './prune.ts';
import { reportCommand } from './report.ts';
import { scanCommand } from './scan.ts';
import { uiCommand } from './ui.ts';
import { unlearnCommand } from './unlearn.ts';
import { version } from './version.ts';
import { workerCommand } from './worker.ts';

const program = new Command('neural-cleanse')
  .description('Vets image classifiers for patch backdoors.')
  .version(version)
  .showHelpAfterError('(add --help for the options)')
  .exitOverride();

scanCommand(program);
outliersCommand(program);
marginsCommand(program);
inspectCommand(program);
convertCommand(program);
reportCommand(program);
injectCommand(program);
evaluateCommand(program);
unlearnCommand(program);
mitigateCommand(program);
filterCommand(program);
pruneCommand(program);
uiCommand(program);
workerCommand(program);

// A reader such as `head` may close the pipe early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  else fail(error);
}
