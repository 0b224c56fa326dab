import { assert, describe, it } from "@effect/vitest"
import { isTruncatedJson } from "../../src/internal/data/jsonText.js"

describe("isTruncatedJson", () => {
  const json = JSON.stringify({
    id: "exec_1",
    text: 'a "quoted" } \\ text',
    output: { images: [{ file_id: "file_1" }], empty: {} }
  })

  it("returns true for every beginning of an object", () => {
    for (let length = 0; length < json.length; length++) {
      assert.isTrue(isTruncatedJson(json.slice(0, length)), json.slice(0, length))
    }
  })

  it("returns true for an array that ends with the bracket of an inner array", () => {
    assert.isTrue(isTruncatedJson("[[]"))
  })

  it("returns false for complete JSON and for text that is not JSON", () => {
    for (const text of [json, ` ${json}\n`, "[]", "{not JSON}", "<html>{", '"text', "1"]) {
      assert.isFalse(isTruncatedJson(text), text)
    }
  })

  it("accepts a string of 32 MiB", () => {
    const text = JSON.stringify({ text: "\\n".repeat(8 * 1024 * 1024) })
    assert.isFalse(isTruncatedJson(text))
    assert.isTrue(isTruncatedJson(text.slice(0, -1)))
  })
})
