/** What the model is. */

import { modelFormatText } from '../../data/model-format.ts';
import type { ReportContent } from './content.ts';
import { missing, whole } from './numbers.ts';
import { Facts, Table } from './parts.tsx';

export function ModelCard({ run, extras }: Pick<ReportContent, 'run' | 'extras'>) {
  const { name, format, sha256, input, classes, head } = run.model;
  const { preprocess } = run;
  const { height, width, channels, layout } = input;
  const formula = `(v / 255 · ${preprocess.range} − ${vector(preprocess.mean)}) / ${vector(preprocess.std)}, ${preprocess.order.toUpperCase()}`;
  return (
    <>
      <Facts
        of={{
          File: name && <bdi>{name}</bdi>,
          'SHA-256': <code>{sha256}</code>,
          Format:
            format &&
            `${modelFormatText[format]}${extras?.model.opset ? `, operator set ${extras.model.opset}` : ''}`,
          Producer: extras?.model.producer ? <bdi>{extras.model.producer}</bdi> : undefined,
          Input: `${height} × ${width} × ${channels}, ${layout}`,
          Preprocessing: (
            <>
              {preprocess.name && (
                <>
                  <bdi>{preprocess.name}</bdi>:{' '}
                </>
              )}
              {formula}
            </>
          ),
          Classes: classes === undefined ? undefined : whole(classes),
          Head: head,
          Parameters: extras ? whole(extras.model.parameters) : undefined,
        }}
      />
      {extras ? (
        <details>
          <summary>{`${whole(extras.model.operators.reduce((sum, { count }) => sum + count, 0))} operators of ${extras.model.operators.length} kinds`}</summary>
          <Table
            caption="Operators of the model, in the form in which it was scanned"
            columns={[
              {
                title: 'Operator',
                cell: ({ operator }: { operator: string; count: number }) => <bdi>{operator}</bdi>,
              },
              { title: 'Count', cell: ({ count }) => whole(count), numeric: true },
            ]}
            rows={extras.model.operators}
          />
        </details>
      ) : (
        <p class="note">{`Operators and parameters: ${missing}. This run kept no model card.`}</p>
      )}
    </>
  );
}

const vector = (values: readonly number[]): string =>
  values.length === 1 ? String(values[0]) : `[${values.join(', ')}]`;
