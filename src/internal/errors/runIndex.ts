/**
 * Finds runs of characters that occur in two texts.
 *
 * @internal
 */

/** @internal The number of characters in a run. Two texts can share shorter runs by coincidence. */
export const runChars = 12

/** @internal Separates texts that are searched together. */
export const separator = "\0"

const hashBase = 0x0100_0193

/** The weight of a run's first character in the rolling hash. */
const leavingWeight = Array.from({ length: runChars - 1 }).reduce<number>((power) => Math.imul(power, hashBase), 1)

/** The maximum number of entries in the filter. The filter allows a scan to skip most runs without a lookup. */
const maxFilterSize = 2 ** 16

/** Returns the least power of two that is at least `minimum`. */
const powerOfTwo = (minimum: number): number => 2 ** Math.ceil(Math.log2(minimum))

const filterIndex = (filter: Uint8Array, hash: number): number => (hash ^ (hash >>> 16)) & (filter.length - 1)

/** @internal Calls `visit` with the position and the rolling hash of each run. Skips runs that the filter excludes. */
export const eachRun = (
  text: string,
  filter: Uint8Array | undefined,
  visit: (at: number, hash: number) => void
): void => {
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    hash = (Math.imul(hash, hashBase) + text.charCodeAt(end)) | 0
    const at = end - runChars + 1
    if (at < 0) continue
    if (filter === undefined || filter[filterIndex(filter, hash)] === 1) visit(at, hash)
    hash = (hash - Math.imul(text.charCodeAt(at), leavingWeight)) | 0
  }
}

/** @internal A hash table of the runs in several texts. Equal runs have the same id. */
export class RunIndex {
  readonly filter: Uint8Array
  private readonly text: string
  /** The positions in `text` plus 1. The value 0 marks a free slot. */
  private readonly slots: Int32Array

  constructor(texts: ReadonlyArray<string>) {
    this.text = texts.join(separator)
    this.slots = new Int32Array(2 * powerOfTwo(this.text.length + 1))
    this.filter = new Uint8Array(Math.min(8 * this.slots.length, maxFilterSize))
    eachRun(this.text, undefined, (at, hash) => {
      this.filter[filterIndex(this.filter, hash)] = 1
      const slot = this.slotOf(this.text, at, hash)
      if (this.slots[slot] === 0) this.slots[slot] = at + 1
    })
  }

  /** Returns the largest possible id plus 1. */
  get size(): number {
    return this.text.length + 1
  }

  /** Returns the id of the run at position `at` of another text. Returns 0 if the index does not contain the run. */
  find(text: string, at: number, hash: number): number {
    return this.slots[this.slotOf(text, at, hash)] ?? 0
  }

  private slotOf(text: string, at: number, hash: number): number {
    const last = this.slots.length - 1
    for (let slot = (hash ^ (hash >>> 15)) & last; ; slot = (slot + 1) & last) {
      const id = this.slots[slot] ?? 0
      if (id === 0 || this.isSameRun(id - 1, text, at)) return slot
    }
  }

  private isSameRun(own: number, text: string, at: number): boolean {
    for (let i = 0; i < runChars; i++) if (this.text.charCodeAt(own + i) !== text.charCodeAt(at + i)) return false
    return true
  }
}
