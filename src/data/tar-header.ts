/** The header of a file in a tar archive, by which such an archive is told from other files. */

export const block = 512;

/** Where the fields of a header stand. */
export const fields = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  magic: [257, 263],
  prefix: [345, 500],
} as const;

/** True if the bytes begin with a header whose checksum is right. */
export const isTar = (bytes: Uint8Array): boolean =>
  bytes.length >= block && bytes[0] !== 0 && hasChecksum(bytes.subarray(0, block));

/** The sum of the header's bytes, with the checksum itself read as spaces. */
export function hasChecksum(header: Uint8Array): boolean {
  const [from, to] = fields.checksum;
  const sum = header.reduce((total, byte, i) => total + (i >= from && i < to ? 0x20 : byte), 0);
  return numberIn(header, from, to) === sum;
}

export function textIn(bytes: Uint8Array, from: number, to: number): string {
  const field = bytes.subarray(from, to);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits, or behind a byte of 0x80 a big-endian number; NaN if it is neither. */
export function numberIn(bytes: Uint8Array, from: number, to: number): number {
  if (bytes[from] === 0x80) {
    return bytes.subarray(from + 1, to).reduce((value, byte) => value * 256 + byte, 0);
  }
  const digits = textIn(bytes, from, to).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}
