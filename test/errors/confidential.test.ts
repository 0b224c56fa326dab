import { assert, describe, it } from "@effect/vitest"
import { privateTextsOf, TextCollector, withSecrets } from "../../src/internal/errors/confidential.js"

describe("privateTextsOf", () => {
  const textsOf = (json: unknown) => [...privateTextsOf(json).texts].sort()

  it("collects the texts in objects and arrays", () => {
    assert.deepStrictEqual(textsOf({ prompt: "a red fox", list: [{ text: "snow" }, ["ice"]], none: null, width: 5 }), [
      "a red fox",
      "ice",
      "snow"
    ])
    assert.deepStrictEqual(textsOf("a red fox"), ["a red fox"])
    for (const json of [undefined, null, 5, true, {}]) assert.deepStrictEqual(textsOf(json), [])
  })

  it("omits texts of fewer than 3 characters, and ids", () => {
    assert.deepStrictEqual(textsOf(["", "ab", "abc"]), ["abc"])
    const ids = ["exec_1", "file_a-b_c", "wh_1", "evt_1", "org_1", "key_1", "req_1", `exec_${"x".repeat(80)}`]
    assert.deepStrictEqual(textsOf(ids), [])
    const texts = ["an exec_1", "exec_1 and more", "exec_", "pass_1", `exec_${"x".repeat(81)}`]
    assert.deepStrictEqual(textsOf(texts), texts.toSorted())
  })

  it("collects at most 100,000 texts", () => {
    const collect = (count: number) => {
      const { isComplete, texts } = privateTextsOf(Array.from({ length: count }, () => "text"))
      return [texts.length, isComplete]
    }
    assert.deepStrictEqual(collect(100_000), [100_000, true])
    assert.deepStrictEqual(collect(100_001), [100_000, false])
    const collector = new TextCollector()
    for (let n = 0; n < 100_000; n++) collector.add("text")
    collector.add("ab")
    assert.isTrue(collector.isComplete)
  })
})

describe("withSecrets", () => {
  it("adds the secrets to the confidential texts", () => {
    const privateTexts = { texts: ["abc"], isComplete: true }
    assert.deepStrictEqual(withSecrets({ privateTexts, secrets: ["a"] }, ["b"]), { privateTexts, secrets: ["a", "b"] })
    assert.deepStrictEqual(withSecrets({ privateTexts }, ["b"]), { privateTexts, secrets: ["b"] })
    assert.deepStrictEqual(withSecrets(undefined, []), { secrets: [] })
  })
})
