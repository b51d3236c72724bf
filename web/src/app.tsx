/** Shows the screen that the session is at. */

import { useEffect, useLayoutEffect, useReducer } from 'preact/hooks';
import { dropped, sorted } from './files/given.ts';
import { PrepareScreen } from './screens/prepare.tsx';
import { ReportScreen } from './screens/report.tsx';
import { ScanScreen } from './screens/scan.tsx';
import type { Session } from './session.ts';

export function App({ session }: { readonly session: Session }) {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  // Before anything else can change the session: effects after painting would miss what comes first.
  useLayoutEffect(() => {
    let awaited = false;
    // Several changes a frame are drawn once; a hidden page draws when it is seen again.
    return session.subscribe(() => {
      if (awaited) return;
      awaited = true;
      requestAnimationFrame(() => {
        awaited = false;
        redraw(undefined);
      });
    });
  }, [session]);
  useEffect(() => takeDrops(session), [session]);
  const { screen, live, report } = session.state;
  if (screen === 'report' && report) return <ReportScreen session={session} report={report} />;
  if (screen === 'scan' && live) return <ScanScreen session={session} live={live} />;
  return <PrepareScreen session={session} />;
}

/** Files that miss the fields are taken too, where the browser would leave the page for them. */
function takeDrops(session: Session): () => void {
  const over = (event: DragEvent): void => event.preventDefault();
  const drop = (event: DragEvent): void => {
    const taken = event.defaultPrevented;
    event.preventDefault();
    if (taken || !event.dataTransfer || session.state.screen !== 'prepare') return;
    void dropped(event.dataTransfer).then((given) => {
      const { model, data } = sorted(given);
      if (model) session.giveModel(model);
      if (data) session.giveImages(data);
    });
  };
  document.addEventListener('dragover', over);
  document.addEventListener('drop', drop);
  return () => {
    document.removeEventListener('dragover', over);
    document.removeEventListener('drop', drop);
  };
}
