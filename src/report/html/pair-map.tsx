/** Pairs of a source and a target: how large a mask each needs, as a map, and those with the smallest as a table. */

import { type PairResult, pairCounts, pairName } from '../pair-text.ts';
import type { PairsResult } from '../result.ts';
import type { PairsContent, SuspectPair } from './content.ts';
import { counted, maskSize, percent, pixels } from './numbers.ts';
import { Badge, Pixels, Table } from './parts.tsx';

/** Edge of a cell, in units of the drawing. */
const cell = 10;

export function Pairs({ content: { result, suspects } }: { readonly content: PairsContent }) {
  const { all, followed } = pairCounts(result);
  return (
    <>
      <p>
        {`${counted(all, 'pair')} of a source and a target, of which ${followed === all ? 'all' : followed} were inverted to the end.`}
      </p>
      <PairMap pairs={result.pairs} />
      <Table
        caption="The smallest masks"
        columns={[
          { title: 'Source → target', cell: pairName },
          { title: 'Finding', cell: ({ level }: SuspectPair) => (level ? <Badge level={level} /> : 'none') },
          {
            title: 'Trigger',
            cell: (pair) =>
              pair.fusion && <Pixels picture={pair.fusion} alt={`Fusion of ${pairName(pair)}`} />,
          },
          { title: 'L1, px', cell: ({ l1 }) => pixels(l1), numeric: true },
          { title: 'Unlearned, px', cell: ({ unlearned }) => pixels(unlearned!.l1), numeric: true },
          { title: 'ASR', cell: ({ asr }) => percent(asr), numeric: true },
        ]}
        rows={suspects}
      />
    </>
  );
}

/** Rows are sources and columns targets; the darker, the smaller the mask. */
function PairMap({ pairs }: Pick<PairsResult, 'pairs'>) {
  const sources = [...new Set(pairs.map(({ source }) => source))].sort((a, b) => a - b);
  const targets = [...new Set(pairs.map(({ label }) => label))].sort((a, b) => a - b);
  const shade = shadeOf(pairs);
  const [width, height] = [(targets.length + 2) * cell, (sources.length + 2) * cell];
  return (
    <figure class="pair-map">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label="Size of the mask of each pair">
        {targets.map((target, i) => (
          <text key={target} x={(i + 2.5) * cell} y={1.5 * cell} text-anchor="middle">
            {target}
          </text>
        ))}
        {sources.map((source, i) => (
          <text key={source} x={1.7 * cell} y={(i + 2.75) * cell} text-anchor="end">
            {source}
          </text>
        ))}
        {pairs.map((pair) => (
          <rect
            key={pairName(pair)}
            x={(targets.indexOf(pair.label) + 2) * cell}
            y={(sources.indexOf(pair.source) + 2) * cell}
            width={cell - 1}
            height={cell - 1}
            fill-opacity={shade(pair)}
          >
            <title>{`${pairName(pair)}: ${pair.status === 'screened' ? 'short run only, ' : ''}${maskSize(pair)}`}</title>
          </rect>
        ))}
      </svg>
      <figcaption>
        Rows are sources, columns targets; the darker, the smaller the mask (logarithmic).
      </figcaption>
    </figure>
  );
}

/** 1 for the smallest mask, 0.05 for the largest and for those that were not reached. */
function shadeOf(pairs: readonly PairResult[]): (pair: PairResult) => number {
  const logs = pairs
    .filter(({ status }) => status !== 'censored')
    .map(({ l1 }) => Math.log(Math.max(l1, 1 / 255)));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  return ({ l1, status }) => {
    if (status === 'censored') return 0.05;
    const place = high > low ? (Math.log(Math.max(l1, 1 / 255)) - low) / (high - low) : 0;
    return Number((1 - 0.95 * place).toFixed(2));
  };
}
