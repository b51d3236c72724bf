/** A report as one HTML file that asks nothing of the network. */

import { renderToString } from 'preact-render-to-string';
import { printable } from '../printable.ts';
import type { ReportContent } from './content.ts';
import { Section } from './parts.tsx';
import { Report } from './report.tsx';
import { style } from './style.ts';
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

const policy = [
  "default-src 'none'",
  'img-src data:',
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${downloadScriptHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** The file `report.html`. */
export const renderPage = (content: ReportContent): string =>
  `<!doctype html>\n${renderToString(<Page content={content} />)}\n`;

function Page({ content }: { readonly content: ReportContent }) {
  const { result, run } = content;
  const { title } = verdictText(content);
  const subject = printable(run.model.name ?? run.model.sha256.slice(0, 12));
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>{`${title}: ${subject} (neural-cleanse)`}</title>
        <link rel="icon" href="data:," />
        <Raw element="style" text={style} />
      </head>
      <body>
        <Report content={content} actions={result && <Download />} />
        {result && <Raw element="script" id="scan" type="application/json" text={scriptJson(result)} />}
        {result && <Raw element="script" text={downloadScript} />}
      </body>
    </html>
  );
}

const Download = () => (
  <Section id="data" title="Data">
    <p>The full result is embedded in this file, and lies as scan.json in the run folder.</p>
    <button type="button" id="download" hidden>
      Save scan.json
    </button>
  </Section>
);

/** An element whose text is no HTML, and cannot end it. */
function Raw({
  element: Element,
  text,
  ...attributes
}: {
  readonly element: 'style' | 'script';
  readonly text: string;
  readonly id?: string;
  readonly type?: string;
}) {
  return <Element {...attributes} dangerouslySetInnerHTML={{ __html: text }} />;
}

/** JSON that cannot end the script element that holds it, nor open a comment in it. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');
