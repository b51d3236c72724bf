/** A strict parser of the XML that reports use: elements, attributes, text and the five entities. */

export interface XmlElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const forbidden = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** @throws Error where the text is not well-formed */
export function parseXml(xml: string): XmlElement {
  if (forbidden.test(xml)) throw new Error('a character that XML forbids');
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>';
  if (!xml.startsWith(declaration)) throw new Error('no declaration');
  let rest = xml.slice(declaration.length).trim();

  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const match = pattern.exec(rest);
    if (match) rest = rest.slice(match[0].length);
    return match ?? undefined;
  };
  const element = (): XmlElement => {
    const open = take(/^<([a-z-]+)((?: [a-z]+="[^"<]*")*)>/);
    if (!open) throw new Error(`no element at: ${rest.slice(0, 60)}`);
    const [, tag = '', list = ''] = open;
    const attributes = [...list.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      decode(value!),
    ]);
    if (new Set(attributes.map(([name]) => name)).size < attributes.length)
      throw new Error(`twice in ${open[0]}`);
    const children: XmlElement[] = [];
    let text = '';
    for (;;) {
      text += decode(take(/^[^<]*/)?.[0] ?? '');
      if (take(new RegExp(`^</${tag}>`))) break;
      children.push(element());
    }
    return { tag, attributes: Object.fromEntries(attributes), children, text };
  };
  const root = element();
  if (rest !== '') throw new Error(`after the root: ${rest.slice(0, 60)}`);
  return root;
}

function decode(text: string): string {
  if (text.includes(']]>')) throw new Error('"]]>" in text');
  return text.replace(/&([^;]*);?/g, (all, name: string) => {
    const value = entities[name];
    if (value === undefined || !all.endsWith(';')) throw new Error(`no entity: ${all}`);
    return value;
  });
}
