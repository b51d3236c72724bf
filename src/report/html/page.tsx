/** A report as one HTML file. */

import { printable } from '../printable.ts';
import type { ReportContent } from './content.ts';
import { Raw, renderDocument } from './document.tsx';
import { Section } from './parts.tsx';
import { Report } from './report.tsx';
import { verdictText } from './verdict-text.ts';

/** The only script of the page: offers the embedded result as the file scan.json. */
export const downloadScript = `
const button = document.getElementById('download');
button.hidden = false;
button.addEventListener('click', () => {
  const result = JSON.parse(document.getElementById('scan').textContent);
  const file = new Blob([JSON.stringify(result, undefined, 2) + '\\n'], { type: 'application/json' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = 'scan.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
});
`;

/** SHA-256 of {@link downloadScript}: no other script runs, whatever the names of classes hold. */
export const downloadScriptHash = 'ba8TS6FSTcaZtcObkThh3UPmVrglQI1icyATOX8MjX8=';

/** The file `report.html`. */
export function renderPage(content: ReportContent): string {
  const { result, run } = content;
  const { title } = verdictText(content);
  const subject = printable(run.model.name ?? run.model.sha256.slice(0, 12));
  return renderDocument({
    title: `${title}: ${subject} (neural-cleanse)`,
    scriptHash: downloadScriptHash,
    children: (
      <>
        <Report content={content} actions={result && <Download />} />
        {result && <Raw element="script" id="scan" type="application/json" text={scriptJson(result)} />}
        {result && <Raw element="script" text={downloadScript} />}
      </>
    ),
  });
}

const Download = () => (
  <Section id="data" title="Data">
    <p>The full result is embedded in this file, and lies as scan.json in the run folder.</p>
    <button type="button" id="download" hidden>
      Save scan.json
    </button>
  </Section>
);

/** JSON that cannot end the script element that holds it, nor open a comment in it. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');
