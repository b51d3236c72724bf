/** `neural-cleanse ui [RUNS…]` */

import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { NeuralCleanseError } from '../errors.ts';
import { wholeNumber } from './arguments.ts';
import { onInterrupt } from './interrupt.ts';
import { note, print } from './output.ts';
import { startUiServer } from './ui-server.ts';

/** Where scans put their folders by default. It need not be there yet. */
const defaultFolder = 'runs';

/** What the browser keeps for the app belongs to its address, so the port stays the same. */
const defaultPort = 4780;

export const uiCommand = (program: Command): Command =>
  program
    .command('ui')
    .description('open the web app on this machine: watch scans, read their reports, scan in the browser')
    .argument('[folders...]', `run folders, or folders that hold them; "${defaultFolder}" by default`)
    .option('--port <n>', 'port on this machine; 0 takes a free one', portOption, defaultPort)
    .action(async (folders: readonly string[], { port }: { readonly port: number }) => {
      for (const folder of folders) await requireFolder(folder);
      const interrupt = onInterrupt(note);
      const server = await startUiServer({
        port,
        app: fileURLToPath(new URL('../web', import.meta.url)),
        folders: folders.length > 0 ? folders : [defaultFolder],
      });
      print(server.url);
      note('Open this address in a browser; Ctrl-C ends.');
      try {
        if (!interrupt.signal.aborted) await once(interrupt.signal, 'abort');
      } finally {
        await server.close();
      }
    });

function portOption(text: string): number {
  const port = wholeNumber('--port', 0)(text);
  if (port < 2 ** 16) return port;
  throw new NeuralCleanseError('USAGE', `--port got "${text}".`, { hint: 'Ports end at 65535.' });
}

async function requireFolder(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) return;
  throw new NeuralCleanseError('RUN_NOT_FOUND', `"${path}" is no folder.`, {
    hint: 'Give run folders, or folders that hold them.',
    data: { path },
  });
}
