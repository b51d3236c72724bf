/** Small pieces that all sections are made of. */

import { type ComponentChildren, Fragment } from 'preact';
import type { FindingLevel, ReportLabel } from './content.ts';
import type { Picture } from './picture.ts';

export function Section({
  id,
  title,
  intro,
  children,
}: {
  readonly id: string;
  readonly title: string;
  readonly intro?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {intro && <p class="intro">{intro}</p>}
      {children}
    </section>
  );
}

/** A list of named values; those that are `undefined` are left out. */
export function Facts({ of }: { readonly of: Readonly<Record<string, ComponentChildren>> }) {
  const known = Object.entries(of).filter(([, value]) => value !== undefined);
  return (
    <dl class="facts">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand to the right. */
  readonly numeric?: boolean;
}

/** The first column names the row. Wide tables scroll by themselves. */
export function Table<Row>({
  caption,
  columns,
  rows,
}: {
  readonly caption: string;
  readonly columns: readonly [Column<Row>, ...Column<Row>[]];
  readonly rows: readonly Row[];
}) {
  const [first, ...others] = columns;
  const side = ({ numeric }: Column<Row>) => (numeric ? 'number' : undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard.
    <section class="scroll" aria-label={caption} tabIndex={0}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={side(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              <th scope="row" class={side(first)}>
                {first.cell(row)}
              </th>
              {others.map((column) => (
                <td key={column.title} class={side(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A picture whose pixels are to be seen as such. */
export function Pixels({ picture, alt }: { readonly picture: Picture; readonly alt: string }) {
  const { uri, height, width } = picture;
  return <img class="pixels" src={uri} alt={alt} height={height} width={width} decoding="async" />;
}

/** Names come from files: they are kept from changing the direction of what stands beside them. */
export function LabelName({ label, name }: Pick<ReportLabel, 'label' | 'name'>) {
  if (name === undefined || name === String(label)) return <>{label}</>;
  return (
    <>
      {label} <bdi class="name">{name}</bdi>
    </>
  );
}

export const levelNames: Readonly<Record<FindingLevel, string>> = {
  backdoored: 'Backdoored',
  suspicious: 'Suspicious',
};

/** States a level by word and shape, not by colour alone. */
export const Badge = ({ level }: { readonly level: FindingLevel }) => (
  <span class={`badge ${level}`}>
    <span aria-hidden="true">▲</span> {levelNames[level]}
  </span>
);

/** A command to copy. Its words stay whole where lines break, so that no option is torn at its hyphens. */
export const Command = ({ children }: { readonly children: string }) => (
  <pre class="command">
    <code>
      {children.split(' ').map((word, i) => (
        <Fragment key={i}>
          {i > 0 && ' '}
          <span>{word}</span>
        </Fragment>
      ))}
    </code>
  </pre>
);
