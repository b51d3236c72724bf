/** A bound on the memory that a WebAssembly module takes for one call. */

const pageBytes = 2 ** 16;

/**
 * Runs `use`, during which no WebAssembly memory grows beyond `limit` bytes: the module sees an allocation fail, as it does
 * when there is no memory left.
 *
 * For modules that keep their memory to themselves, so that it cannot be made with a maximum. As `use` is synchronous,
 * nobody else's memory can want to grow meanwhile.
 */
export function withMemoryLimit<T>(limit: number, use: () => T): T {
  const { prototype } = WebAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function (pages) {
    const bytes = this.buffer.byteLength + pages * pageBytes;
    if (bytes > limit) throw new RangeError(`${bytes} bytes of memory exceed the limit of ${limit}`);
    return grow.call(this, pages);
  };
  try {
    return use();
  } finally {
    prototype.grow = grow;
  }
}
