/** Secrets in addresses, which must not get into logs, errors and results. */

/** Text in which users and passwords of URLs, and what follows a `?`, are replaced by `***`. */
export const withoutSecrets = (text: string): string =>
  text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, '$1***@')
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s?]*\?)\S+/gi, '$1***');
