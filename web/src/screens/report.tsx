/** The report, with what can be done with it. */

import { useEffect } from 'preact/hooks';
import { reportFiles } from '../../../src/report/file-names.ts';
import type { FinishedReport } from '../../../src/report/html/content.ts';
import { Section } from '../../../src/report/html/parts.tsx';
import { Report } from '../../../src/report/html/report.tsx';
import { verdictText } from '../../../src/report/html/verdict-text.ts';
import { renderJson } from '../../../src/report/json.ts';
import { saveBlob } from '../files/save.ts';
import { Brand } from '../parts/brand.tsx';
import { ErrorNote } from '../parts/error-note.tsx';
import type { Session } from '../session.ts';
import type { OpenReport } from '../session-state.ts';

export function ReportScreen({
  session,
  report,
}: {
  readonly session: Session;
  readonly report: OpenReport;
}) {
  const { content, kept, growing } = report;
  const { title } = verdictText(content);
  useEffect(() => {
    document.title = `${title} (Neural Cleanse)`;
  }, [title]);
  useEffect(() => {
    const heading = document.querySelector<HTMLElement>('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, []);
  return (
    <>
      <Brand>
        {growing && (
          <p class="busy" role="status">
            Another process scans; this grows with it.
          </p>
        )}
        {kept && (
          <button type="button" onClick={() => session.saveRun()}>
            Save the run
          </button>
        )}
        <button type="button" class="quiet" onClick={() => void session.close()}>
          New scan
        </button>
      </Brand>
      <div class="page">
        <ErrorNote error={session.state.errors.open ?? session.state.errors.scan} />
      </div>
      <Report content={content} actions={<Actions session={session} report={report} />} />
    </>
  );
}

function Actions({
  session,
  report: { content, kept },
}: {
  readonly session: Session;
  readonly report: OpenReport;
}) {
  const { result } = content;
  return (
    <Section id="data" title="Data">
      <p>
        {kept
          ? 'The run is kept in this browser until the next scan. Saved, it is a zip archive of a run folder: unpacked, the command line reads it as its own.'
          : 'This run lies in a file or folder of yours; nothing of it is kept here.'}
      </p>
      <div class="buttons">
        {kept && (
          <button type="button" onClick={() => session.saveRun()}>
            Save the run as zip
          </button>
        )}
        {result && (
          <>
            <button type="button" class="quiet" onClick={() => void savePage({ ...content, result })}>
              Save report.html
            </button>
            <button
              type="button"
              class="quiet"
              onClick={() =>
                saveBlob(reportFiles.json, new Blob([renderJson(result)], { type: 'application/json' }))
              }
            >
              Save scan.json
            </button>
          </>
        )}
      </div>
    </Section>
  );
}

/** Its renderer is loaded when it is needed. */
async function savePage(content: FinishedReport): Promise<void> {
  const { renderPage } = await import('../../../src/report/html/page.tsx');
  saveBlob(reportFiles.html, new Blob([renderPage(content)], { type: 'text/html' }));
}
