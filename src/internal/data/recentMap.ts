/**
 * Stores the latest entries of a sequence.
 *
 * @internal
 */

const maxEntries = 1000

/** @internal A map with the last 1000 entries. */
export class RecentMap<K, V> {
  private readonly entries = new Map<K, V>()

  /** Sets an entry and moves the entry to the end of the sequence. */
  set(key: K, value: V): void {
    this.entries.delete(key)
    this.entries.set(key, value)
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= maxEntries) return
      this.entries.delete(oldest)
    }
  }

  get(key: K): V | undefined {
    return this.entries.get(key)
  }
}
