/** The page: one app, with the look of the reports. */

import { render } from 'preact';
import { style } from '../../src/report/html/style.ts';
import { App } from './app.tsx';
import { Session } from './session.ts';
import frame from './style/frame.css?inline';
import prepare from './style/prepare.css?inline';
import scan from './style/scan.css?inline';

// Style sheets that are made so are allowed by the policy of the page, unlike style elements.
document.adoptedStyleSheets = [style, frame, prepare, scan].map((text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
});

const session = new Session();
render(<App session={session} />, document.getElementById('app')!);
void session.lookForRuns();
