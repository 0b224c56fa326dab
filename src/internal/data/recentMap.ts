/**
 * Provides a map with a limited number of entries. If the limit is exceeded, the oldest entries are removed.
 *
 * @internal
 */

const maxEntries = 1000

/** @internal A map with at most 1,000 entries. */
export class RecentMap<K, V> {
  private readonly entries = new Map<K, V>()

  /** Sets an entry, which becomes the newest entry. Removes the oldest entries above the limit. */
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
