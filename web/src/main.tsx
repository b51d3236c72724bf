/** The page: one app, with the look of the reports. */

import { render } from 'preact';
import { style } from '../../src/report/html/style.ts';
import appStyle from './app.css?inline';
import { App } from './app.tsx';
import { Session } from './session.ts';

// Style sheets that are made so are allowed by the policy of the page, unlike style elements.
document.adoptedStyleSheets = [style, appStyle].map((text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
});

const session = new Session();
render(<App session={session} />, document.getElementById('app')!);
void session.lookForRuns();
