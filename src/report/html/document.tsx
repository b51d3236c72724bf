/** An HTML file that asks nothing of the network. */

import type { ComponentChildren } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { style } from './style.ts';

export interface HtmlDocument {
  readonly title: string;
  /** SHA-256 in Base64 of the one script that may run, if any: no other does, whatever names hold. */
  readonly scriptHash?: string;
  readonly children: ComponentChildren;
}

export const renderDocument = (document: HtmlDocument): string =>
  `<!doctype html>\n${renderToString(<Document {...document} />)}\n`;

const policy = (scriptHash: string | undefined): string =>
  [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    ...(scriptHash === undefined ? [] : [`script-src 'sha256-${scriptHash}'`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

const Document = ({ title, scriptHash, children }: HtmlDocument) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content={policy(scriptHash)} />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="referrer" content="no-referrer" />
      <title>{title}</title>
      <link rel="icon" href="data:," />
      <Raw element="style" text={style} />
    </head>
    <body>{children}</body>
  </html>
);

/** An element whose text is no HTML, and cannot end it. */
export function Raw({
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
