/** What tasks keep open between their runs, such as sessions that took long to compile. */

export interface Releasable {
  release(): Promise<void>;
}

/** One value for each key, opened when first asked for. */
export class Kept {
  private readonly values = new Map<unknown, Promise<Releasable>>();

  /** The value of `key`; one that could not be opened is tried again. */
  get<T extends Releasable>(key: unknown, open: () => Promise<T>): Promise<T> {
    const known = this.values.get(key) as Promise<T> | undefined;
    if (known) return known;
    const opening = open();
    this.values.set(key, opening);
    opening.catch(() => this.values.delete(key));
    return opening;
  }

  /** Releases everything. */
  async release(): Promise<void> {
    const opened = await Promise.allSettled(this.values.values());
    this.values.clear();
    for (const value of opened) if (value.status === 'fulfilled') await value.value.release();
  }
}
