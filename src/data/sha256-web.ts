/** SHA-256 by the Web Cryptography API, which hashes what is in memory as a whole. */

/**
 * In hex, of the parts joined.
 *
 * Browsers offer this on pages from HTTPS or from this machine only.
 */
export async function sha256Hex(parts: readonly Uint8Array[]): Promise<string> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', joined));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
