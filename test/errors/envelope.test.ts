import { assert, describe, it } from "@effect/vitest"
import { decodeText, findEnvelope, isErrorEnvelope, parseJson } from "../../src/internal/errors/envelope.js"

describe("decodeText", () => {
  const utf16 = Uint8Array.from(Array.from("b\u00e4h", (c) => [c.charCodeAt(0), 0]).flat())
  for (const contentType of [
    "text/plain;charset=utf-16le",
    'text/plain; charset="utf-16le"',
    "text/plain; CHARSET = utf-16le; x=1"
  ]) {
    it(`uses the charset of the content type ${contentType}`, () => {
      assert.strictEqual(decodeText(utf16, contentType), "b\u00e4h")
    })
  }

  for (const contentType of [undefined, "", "text/plain", "text/plain; charset=klingon"]) {
    it(`uses UTF-8 for the content type ${contentType}`, () => {
      assert.strictEqual(decodeText(new TextEncoder().encode("b\u00e4h"), contentType), "b\u00e4h")
    })
  }
})

describe("parseJson", () => {
  it("returns undefined if the text is not JSON", () => {
    assert.deepStrictEqual(["[1]", "null", "", "[1"].map(parseJson), [[1], null, undefined, undefined])
  })
})

const error = { code: "NEW", message: "no" }

describe("findEnvelope", () => {
  const flat = { ...error, error: "no" }
  for (const [what, json, found] of [
    ["the field error", { error, code: "OTHER", message: "other" }, error],
    ["the field error without a message", { error: { code: "NEW" } }, { code: "NEW" }],
    ["the top level", flat, flat],
    [
      "the top level if the field error has no code",
      { ...error, error: { message: "x" } },
      { ...error, error: { message: "x" } }
    ],
    ["nothing without a code", { message: "no" }, undefined],
    ["nothing without a message at the top level", { code: "NEW" }, undefined],
    ["nothing if the code is empty", { error: { code: "" } }, undefined],
    ["nothing in an array", [error], undefined],
    ["nothing in null", null, undefined]
  ] as const) {
    it(`returns ${what}`, () => assert.deepStrictEqual(findEnvelope(json), found))
  }
})

describe("isErrorEnvelope", () => {
  it("returns true for the error envelope of the documentation", () => {
    assert.isTrue(isErrorEnvelope({ error, other: 1 }))
  })

  for (const [what, json] of [
    ["a FAILED execution with an id", { error, id: "exec_1" }],
    ["a FAILED execution with an execution id", { error, execution_id: "exec_1" }],
    ["a FAILED execution with a status", { error, status: "FAILED" }],
    ["an error without a code", { error: { message: "no" } }],
    ["an object with a code and a message at the top level", error],
    ["a code and a message beside another error", { ...error, error: "no" }],
    ["an array", [error]],
    ["undefined", undefined]
  ] as const) {
    it(`returns false for ${what}`, () => assert.isFalse(isErrorEnvelope(json)))
  }
})
