/**
 * Finds substrings of 12 characters that occur in two texts.
 *
 * @internal
 */

/** @internal The length of a compared substring. Two unrelated texts often share shorter substrings. */
export const substringChars = 12

/** @internal The separator between texts that are searched together. */
export const separator = "\0"

const hashBase = 0x0100_0193

/** The factor that removes the first character of a substring from the rolling hash. */
const leavingWeight = Array.from({ length: substringChars - 1 }).reduce<number>(
  (power) => Math.imul(power, hashBase),
  1
)

/**
 * The maximum number of entries in the filter of an index. A scan skips a substring if the filter excludes its hash.
 */
const maxFilterSize = 2 ** 16

/** Returns the smallest power of two that is at least `minimum`. */
const powerOfTwo = (minimum: number): number => 2 ** Math.ceil(Math.log2(minimum))

const filterIndex = (filter: Uint8Array, hash: number): number => (hash ^ (hash >>> 16)) & (filter.length - 1)

/** @internal Calls `visit` with the position and rolling hash of each substring whose hash is in the filter. */
export const forEachSubstring = (
  text: string,
  filter: Uint8Array | undefined,
  visit: (at: number, hash: number) => void
): void => {
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    hash = (Math.imul(hash, hashBase) + text.charCodeAt(end)) | 0
    const at = end - substringChars + 1
    if (at < 0) continue
    if (filter === undefined || filter[filterIndex(filter, hash)] === 1) visit(at, hash)
    hash = (hash - Math.imul(text.charCodeAt(at), leavingWeight)) | 0
  }
}

/** @internal A hash table of the substrings in several texts. Equal substrings have the same id. */
export class SubstringIndex {
  readonly filter: Uint8Array
  private readonly text: string
  /** The start of each substring in `text`, plus 1. The value 0 marks a free slot. */
  private readonly slots: Int32Array

  constructor(texts: ReadonlyArray<string>) {
    this.text = texts.join(separator)
    this.slots = new Int32Array(2 * powerOfTwo(this.text.length + 1))
    this.filter = new Uint8Array(Math.min(8 * this.slots.length, maxFilterSize))
    forEachSubstring(this.text, undefined, (at, hash) => {
      this.filter[filterIndex(this.filter, hash)] = 1
      const slot = this.slotOf(this.text, at, hash)
      if (this.slots[slot] === 0) this.slots[slot] = at + 1
    })
  }

  /** Returns the largest possible id plus 1. */
  get size(): number {
    return this.text.length + 1
  }

  /**
   * Returns the id of the substring that begins at position `at` of `text`. Returns 0 if the index does not contain
   * this substring. `hash` is the rolling hash of the substring.
   */
  find(text: string, at: number, hash: number): number {
    return this.slots[this.slotOf(text, at, hash)] ?? 0
  }

  private slotOf(text: string, at: number, hash: number): number {
    const last = this.slots.length - 1
    for (let slot = (hash ^ (hash >>> 15)) & last; ; slot = (slot + 1) & last) {
      const id = this.slots[slot] ?? 0
      if (id === 0 || this.isSameSubstring(id - 1, text, at)) return slot
    }
  }

  private isSameSubstring(own: number, text: string, at: number): boolean {
    for (let i = 0; i < substringChars; i++) if (this.text.charCodeAt(own + i) !== text.charCodeAt(at + i)) return false
    return true
  }
}
