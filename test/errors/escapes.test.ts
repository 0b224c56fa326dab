import { assert, describe, it } from "@effect/vitest"
import { maskRange, variantsOf } from "../../src/internal/errors/escapes.js"

/** Returns each variant with the positions of its characters, and of its end, in the original text. */
const decode = (text: string) =>
  variantsOf(text)
    .slice(1)
    .map(({ starts, text }) => [text, [...(starts ?? [])].slice(0, text.length + 1)])

describe("variantsOf", () => {
  it("returns only the original text if the text contains no escapes", () => {
    for (const text of ["", "a fox", "100%", "%zz", "a & b", "&bogus;", "\\x"]) {
      assert.deepStrictEqual(variantsOf(text), [{ text, starts: undefined }])
    }
  })

  for (const [escaped, decoded] of [
    ["\\u00e4", "\u00e4"],
    ["\\u00E4", "\u00e4"],
    ['\\"', '"'],
    ["\\/", "/"],
    ["\\\\", "\\"],
    ["\\b", "\b"],
    ["\\f", "\f"],
    ["\\n", "\n"],
    ["\\r", "\r"],
    ["\\t", "\t"],
    ["&amp;", "&"],
    ["&LT;", "<"],
    ["&gt;", ">"],
    ["&quot;", '"'],
    ["&apos;", "'"],
    ["&#228;", "\u00e4"],
    ["&#xE4;", "\u00e4"],
    ["&#x1f600;", "\u{1f600}"],
    ["&#x10ffff;", "\u{10ffff}"],
    ["&#x110000;", "\ufffd"],
    ["&#1114112;", "\ufffd"],
    ["%7E", "~"],
    ["%7e", "~"],
    ["%c3%a4", "\u00e4"],
    ["%df%bf", "\u07ff"],
    ["%e0%a4%85", "\u0905"],
    ["%ef%bf%bd", "\ufffd"],
    ["%f0%9f%98%80", "\u{1f600}"]
  ] as const) {
    it(`decodes ${escaped} and maps each character to the start of its escape`, () => {
      const end = 1 + escaped.length
      const starts = [0, ...Array.from({ length: decoded.length }, () => 1), end, end + 1, end + 2]
      assert.deepStrictEqual(decode(`a${escaped}bc`)[0], [`a${decoded}bc`, starts])
    })
  }

  it("decodes adjacent escapes separately", () => {
    assert.deepStrictEqual(decode("%41%42"), [["AB", [0, 3, 6]]])
    assert.deepStrictEqual(decode("abcd%41%42"), [["abcdAB", [0, 1, 2, 3, 4, 7, 10]]])
    assert.deepStrictEqual(decode("%c3%a4%41"), [["\u00e4A", [0, 6, 9]]])
    assert.deepStrictEqual(decode("%e2%82%ac%41"), [["\u20acA", [0, 9, 12]]])
  })

  it("keeps the percent sign of bytes that are not UTF-8", () => {
    assert.deepStrictEqual(
      decode("%e4 x").map(([text]) => text),
      ["%e4 x", "%e4 x"]
    )
    assert.deepStrictEqual(
      decode("%80%41").map(([text]) => text),
      ["%80A", "%80A"]
    )
  })

  it("decodes nested escapes twice and maps them to the original text", () => {
    assert.deepStrictEqual(decode("x\\\\u0041y"), [
      ["x\\u0041y", [0, 1, 3, 4, 5, 6, 7, 8, 9]],
      ["xAy", [0, 1, 8, 9]]
    ])
    assert.deepStrictEqual(
      decode("%25252541").map(([text]) => text),
      ["%252541", "%2541"]
    )
  })
})

describe("maskRange", () => {
  it("masks the whole escapes of a range", () => {
    const mask = (variant: number, from: number, to: number) => {
      const text = "a&lt;b"
      const masked = new Uint8Array(text.length)
      const found = variantsOf(text)[variant] ?? assert.fail("no variant")
      maskRange(found, from, to, masked)
      return [...masked]
    }
    assert.deepStrictEqual(mask(0, 1, 3), [0, 1, 1, 0, 0, 0])
    assert.deepStrictEqual(mask(1, 1, 2), [0, 1, 1, 1, 1, 0])
    assert.deepStrictEqual(mask(1, 2, 3), [0, 0, 0, 0, 0, 1])
  })
})
