/** Text from files, such as names of classes and folders, made safe to show: no escape sequences, no line breaks, nothing that XML forbids. */

const control = /[\p{Cc}\p{Cs}\u2028\u2029\ufffe\uffff]/gu;

/** A copy with every control character in every string replaced, at whatever depth. */
export function printable<T>(value: T): T {
  if (typeof value === 'string') return value.replace(control, '\ufffd') as T;
  if (Array.isArray(value)) return value.map(printable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, printable(field)])) as T;
}
