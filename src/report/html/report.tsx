/** A report as a component: the page of a finished scan, and what a browser shows while one is going on. */

import type { ComponentChildren } from 'preact';
import { printable } from '../printable.ts';
import type { ReportContent } from './content.ts';
import { Gallery, LabelTable } from './gallery.tsx';
import { IndexChart } from './index-chart.tsx';
import { LabelDetails, type LabelNames } from './label-detail.tsx';
import { MitigationTable } from './mitigation.tsx';
import { ModelCard } from './model-card.tsx';
import { NormChart } from './norm-chart.tsx';
import { Pairs } from './pair-map.tsx';
import { Section } from './parts.tsx';
import { PreflightTable } from './preflight.tsx';
import { Reproduce } from './reproduce.tsx';
import { Conclusion, VerdictHeader } from './verdict.tsx';

/** @param props.actions what can be done with the report, such as saving it */
export function Report(props: { readonly content: ReportContent; readonly actions?: ComponentChildren }) {
  const content = printable(props.content);
  const { run, labels, outliers, details, pairs, extras, mitigation } = content;
  const scanned = labels.length > 0;
  return (
    <>
      <a class="skip" href="#conclusion">
        Skip to the findings
      </a>
      <VerdictHeader content={content} />
      <main class="page">
        <Conclusion content={content} />
        {details.length > 0 && <Details content={content} />}
        {pairs && (
          <Section
            id="pairs"
            title="Triggers for images of one class only"
            intro="For each pair of a source and a target: the least that turns images of the source into the target."
          >
            <Pairs content={pairs} />
          </Section>
        )}
        {scanned && (
          <Section
            id="indices"
            title="Anomaly index by label"
            intro="How far a label's mask is smaller than the usual one, in robust standard deviations of log L1. Only small masks are abnormal."
          >
            <IndexChart labels={labels} outliers={outliers} />
          </Section>
        )}
        {scanned && (
          <Section
            id="norms"
            title="Sizes of the masks"
            intro="The L1 norm of a mask is its size in pixels: the least that turns images of other classes into the label."
          >
            <NormChart labels={labels} outliers={outliers} />
          </Section>
        )}
        {scanned && (
          <Section id="labels" title="All labels" intro="Smallest mask first; beside each mask, its fusion.">
            <Gallery labels={labels} />
            <LabelTable labels={labels} />
          </Section>
        )}
        {mitigation && (
          <Section id="mitigation" title="Repair">
            <MitigationTable mitigation={mitigation} />
          </Section>
        )}
        {run.preflight && (
          <Section id="preflight" title="Preflight">
            <PreflightTable preflight={run.preflight} />
          </Section>
        )}
        <Section id="model" title="Model">
          <ModelCard run={run} extras={extras} />
        </Section>
        <Section id="reproduce" title="How to get this result again">
          <Reproduce run={run} extras={extras} />
        </Section>
        {props.actions}
      </main>
    </>
  );
}

function Details({ content }: { readonly content: ReportContent }) {
  const { run, labels, outliers, details, result } = content;
  const { height, width } = run.model.input;
  const names: LabelNames = new Map(
    labels.flatMap(({ label, name }) => (name === undefined ? [] : [[label, name] as const])),
  );
  const flagged = result ? result.findings.length : (outliers?.flagged.length ?? 0);
  const hidden = flagged - details.length;
  const found =
    flagged > 0 ? (result ? 'Flagged labels' : 'Labels that would be flagged') : 'The smallest mask';
  return (
    <Section
      id="details"
      title={found}
      intro={
        flagged === 0
          ? 'No label is flagged. A trigger that was missed would most likely be here.'
          : hidden > 0 &&
            `The ${details.length} with the smallest masks; the other ${hidden} are among all labels below.`
      }
    >
      {details.map((detail) => (
        <LabelDetails
          key={detail.label.label}
          detail={detail}
          outliers={outliers}
          preliminary={result === undefined}
          area={height * width}
          names={names}
        />
      ))}
    </Section>
  );
}
