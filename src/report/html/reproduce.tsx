/** All that is needed to get the same result again. */

import { shellText } from '../command-line.ts';
import type { ReportContent } from './content.ts';
import { counted, duration, moment, percent, whole } from './numbers.ts';
import { Command, Facts } from './parts.tsx';

export function Reproduce({ run, extras }: Pick<ReportContent, 'run' | 'extras'>) {
  const { config, data, environment, timings, tool, versions } = run;
  const machine = extras?.environment;
  return (
    <>
      {environment && environment.command.length > 0 && (
        <Command>{shellText(['neural-cleanse', ...environment.command])}</Command>
      )}
      <Facts
        of={{
          Seed: config.seed,
          Preset: config.preset,
          Images: `${whole(data.count)}${data.source === undefined ? '' : ` from ${data.source}`}`,
          'SHA-256 of the images': <code>{data.sha256}</code>,
          'Left out': data.skipped?.length ? counted(data.skipped.length, 'file') : undefined,
          Versions: [
            `neural-cleanse ${tool.version}`,
            `onnxruntime ${versions.onnxruntime}`,
            ...(versions.node === undefined ? [] : [`node ${versions.node}`]),
          ].join(', '),
          Provider: `${config.provider}, graph optimisation ${config.optimization}`,
          Threads: environment?.threads,
          Machine: machine
            ? `${machine.cpu}, ${counted(machine.cores, 'core')}, ${whole(machine.memoryBytes / 2 ** 30)} GiB, ${machine.system}`
            : environment?.platform,
          Notes: environment?.notices.length ? environment.notices.join(' ') : undefined,
          Started: timings && moment(timings.startedAt),
          Duration: timings && durationText(timings),
        }}
      />
      <details>
        <summary>Settings of the inversions</summary>
        <pre>{JSON.stringify(config.settings, undefined, 2)}</pre>
      </details>
    </>
  );
}

function durationText({
  seconds,
  inversionSeconds,
  runtimeShare,
  resumed,
}: NonNullable<ReportContent['run']['timings']>): string {
  const inRuntime = runtimeShare === null ? '' : `, ${percent(runtimeShare, 0)} of it in ONNX Runtime`;
  const before = resumed > 0 ? `; ${counted(resumed, 'inversion')} taken over from an interrupted run` : '';
  return `${duration(seconds)}; inversions took ${duration(inversionSeconds)}${inRuntime}${before}`;
}
