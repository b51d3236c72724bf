/** Small text tables: comma, semicolon, tab or space between fields, quotes around them allowed. */

/** Rows of trimmed fields; blank lines are left out. The separator is the first of `; , tab` in the first line, else a space. */
export function parseTable(bytes: Uint8Array): string[][] {
  const text = new TextDecoder().decode(bytes);
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '');
  const separator = [';', ',', '\t'].find((mark) => lines[0]?.includes(mark)) ?? /\s+/;
  return lines.map((line) => line.trim().split(separator).map(unquote));
}

const unquote = (field: string): string => field.trim().replace(/^"(.*)"$/, '$1');
