/** Command lines that are shown for the user to copy. */

/** Words as a POSIX shell reads them. */
export const shellText = (words: readonly string[]): string =>
  words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');

/** A copy with other options: text sets a value, `true` a flag, `undefined` removes either. */
export function withOptions(
  words: readonly string[],
  options: Readonly<Record<string, string | true | undefined>>,
): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const [name = ''] = word.split('=');
    if (!Object.hasOwn(options, name)) kept.push(word);
    else if (word === name && takesValue(name)) i++;
  }
  const added = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : value === true ? [name] : [name, value],
  );
  return [...kept, ...added];
}

/** The flags among the options that are ever changed here. */
const takesValue = (name: string): boolean => name !== '--resume';
