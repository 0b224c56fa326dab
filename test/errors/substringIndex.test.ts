import { assert, describe, it } from "@effect/vitest"
import { forEachSubstring, substringChars, SubstringIndex } from "../../src/internal/errors/substringIndex.js"

/** Returns the positions of the substrings in `text` that `index` contains, and their ids. */
const find = (index: SubstringIndex, text: string) => {
  const found: Array<readonly [at: number, id: number]> = []
  forEachSubstring(text, index.filter, (at, hash) => {
    const id = index.find(text, at, hash)
    if (id > 0) found.push([at, id])
  })
  return found
}

describe("forEachSubstring", () => {
  it("visits each substring of 12 characters, and calculates the same hash for equal substrings", () => {
    const hashes = new Map<string, number>()
    const positions: Array<number> = []
    const text = `${"abcdefghijkl".repeat(3)}xyz`
    forEachSubstring(text, undefined, (at, hash) => {
      positions.push(at)
      const substring = text.slice(at, at + substringChars)
      assert.strictEqual(hashes.get(substring) ?? hash, hash)
      hashes.set(substring, hash)
    })
    assert.deepStrictEqual(
      positions,
      Array.from({ length: text.length - 11 }, (_, at) => at)
    )
    assert.strictEqual(new Set(hashes.values()).size, hashes.size)
  })
})

describe("SubstringIndex", () => {
  const source = "a lighthouse in a storm, oil on canvas"

  it("finds exactly the substrings of its texts", () => {
    const index = new SubstringIndex([source])
    assert.strictEqual(index.size, source.length + 1)
    for (let at = 0; at + substringChars <= source.length; at++) {
      assert.deepStrictEqual(find(index, source.slice(at, at + substringChars)), [[0, at + 1]])
      // The last or the first character is different.
      assert.deepStrictEqual(find(index, `${source.slice(at, at + substringChars - 1)}#`), [])
      assert.deepStrictEqual(find(index, `#${source.slice(at + 1, at + substringChars)}`), [])
    }
    assert.deepStrictEqual(find(index, `no: ${source.slice(5, 18)}!`), [
      [4, 6],
      [5, 7]
    ])
  })

  it("returns the same id for equal substrings of several texts", () => {
    const index = new SubstringIndex(["0123456789ab", "xx0123456789ab"])
    assert.deepStrictEqual(find(index, "0123456789ab"), [[0, 1]])
    // No substring crosses the boundary between two texts.
    assert.deepStrictEqual(find(index, "3456789abxx0"), [])
  })

  it("contains nothing if its texts are shorter than 12 characters", () => {
    const index = new SubstringIndex(["0123456789a", ""])
    assert.deepStrictEqual(find(index, "0123456789a0123456789a"), [])
    assert.deepStrictEqual(find(new SubstringIndex([]), source), [])
  })

  it("finds the substrings of a text with 100,000 characters", () => {
    const large = Array.from({ length: 20_000 }, (_, n) => String(n).padStart(5, "0")).join("")
    const index = new SubstringIndex([large])
    for (const at of [0, 1, 4321, 65_536, 99_988]) {
      assert.deepStrictEqual(find(index, large.slice(at, at + substringChars)), [[0, at + 1]])
    }
    assert.deepStrictEqual(find(index, "a lighthouse in a storm"), [])
  })
})
