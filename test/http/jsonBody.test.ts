/** Tests the check of values that JSON cannot represent. `executions/create.test.ts` tests the check of a request. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Either, Option, Redacted } from "effect"
import { checkJson } from "../../src/internal/http/jsonBody.js"

const check = (fields: { readonly [name: string]: unknown }) =>
  Either.match(checkJson("executions.create", fields), {
    onLeft: ({ field, message }) => ({ field, message }),
    onRight: ({ texts }) => [...texts].sort()
  })

const rejection = (field: string, text: string) => ({ field, message: `executions.create: ${field} ${text}` })

describe("checkJson", () => {
  it("returns the texts in the arguments", () => {
    assert.deepStrictEqual(
      check({
        input: {
          prompt: "a red fox",
          styles: ["watercolour", ["sketch"]],
          boxed: Object("boxed text"),
          none: null,
          missing: undefined,
          width: 1024,
          flag: true
        },
        metadata: {
          at: DateTime.toDateUtc(DateTime.unsafeMake(0)),
          url: new URL("https://example.com/a"),
          label: { toJSON: () => "a label" }
        },
        model: "flux-1.1-pro"
      }),
      [
        "1970-01-01T00:00:00.000Z",
        "a label",
        "a red fox",
        "flux-1.1-pro",
        "https://example.com/a",
        "sketch",
        "watercolour"
      ]
    )
  })

  const upload = "Upload the bytes with files.upload and pass the file id."
  for (const [problem, value] of [
    ["is NaN. Pass a finite number.", Number.NaN],
    ["is a bigint. Pass a number or a string.", 1n],
    ["is a function. Pass its value.", () => 1],
    ["is a symbol. Pass its value.", Symbol("s")],
    [`is a Uint8Array. ${upload}`, new Uint8Array(1)],
    [`is a ArrayBuffer, which JSON cannot represent. ${upload}`, new ArrayBuffer(1)],
    [`is a Blob, which JSON cannot represent. ${upload}`, new Blob(["a"])],
    [`is a File, which JSON cannot represent. ${upload}`, new File(["a"], "a")],
    [`is a FormData, which JSON cannot represent. ${upload}`, new FormData()],
    [`is a ReadableStream, which JSON cannot represent. ${upload}`, new ReadableStream()],
    ["is a Map, which JSON cannot represent. Pass a plain object, such as Object.fromEntries(map).", new Map()],
    ["is a Set, which JSON cannot represent. Pass an array, such as Array.from(set).", new Set()],
    ["is a Promise, which JSON cannot represent. Await the promise first.", Promise.resolve()],
    ["is a RegExp, which JSON cannot represent. Pass a plain object or array.", /a/],
    ["is Redacted. Unwrap the value with Redacted.value if the API may receive it.", Redacted.make("a")],
    ["is an Effect Option. Pass the contained value.", Option.some(1)],
    ["is NaN. Pass a finite number.", { toJSON: () => Number.NaN }],
    [
      "is a Map, which JSON cannot represent. Pass a plain object, such as Object.fromEntries(map).",
      { toJSON: () => new Map() }
    ]
  ] as const) {
    it(`rejects a value that ${problem}`, () => {
      assert.deepStrictEqual(check({ input: { a: [{}, { "b c": value }] } }), rejection("input.a[1].b c", problem))
      assert.deepStrictEqual(check({ input: [value, 1] }), rejection("input[0]", problem))
      assert.deepStrictEqual(check({ input: value }), rejection("input", problem))
    })
  }

  it("accepts wrapper objects and objects with a null prototype", () => {
    for (const value of [Object(1), Object(true), Object.assign(Object.create(null), { a: 1 })]) {
      assert.deepStrictEqual(check({ input: { value } }), [])
    }
  })

  it("rejects the first value of an argument whose property cannot be read", () => {
    const throwing = (error: unknown) => ({
      get prompt() {
        throw error
      }
    })
    assert.deepStrictEqual(
      check({ input: throwing(new Error("no")) }),
      rejection("input", "cannot be read (no). Pass a plain object.")
    )
    assert.deepStrictEqual(
      check({ input: throwing("not now") }),
      rejection("input", "cannot be read (not now). Pass a plain object.")
    )
  })

  it("passes the key of a value to its toJSON method", () => {
    const keys: Array<unknown> = []
    const value = { toJSON: (key: unknown) => void keys.push(key) }
    check({ input: { a: value, list: [value] } })
    assert.deepStrictEqual(keys, ["a", "0"])
    assert.deepStrictEqual(check({ input: { toJSON: "text of a field" } }), ["text of a field"])
    assert.deepStrictEqual(check({ input: { _id: "text of an id" } }), ["text of an id"])
    assert.deepStrictEqual(check({ at: DateTime.unsafeMake(0) }), ["1970-01-01T00:00:00.000Z"])
  })

  const nest = (value: unknown, levels: number): unknown => {
    let nested = value
    for (let i = 0; i < levels; i++) nested = { a: nested }
    return nested
  }

  it("rejects a value that is nested more than 500 levels deep", () => {
    assert.deepStrictEqual(check({ input: nest({}, 500) }), [])
    assert.deepStrictEqual(
      check({ input: nest({}, 501) }),
      rejection(`input${".a".repeat(501)}`, "is nested more than 500 levels deep. Pass a flatter value.")
    )
    // A number is not another level.
    assert.deepStrictEqual(check({ input: nest(1, 501) }), [])
  })

  it("rejects the outermost value that contains itself", () => {
    const inner: Record<string, unknown> = {}
    const outer = { list: [0, inner] }
    inner["back"] = outer
    const problem = "contains itself. Pass a value without cycles."
    assert.deepStrictEqual(check({ input: { outer } }), rejection("input.outer.list[1].back", problem))
    inner["back"] = inner
    assert.deepStrictEqual(check({ input: { outer } }), rejection("input.outer.list[1].back", problem))
  })

  it("accepts an object that occurs twice without a cycle", () => {
    const shared = { text: "shared" }
    assert.deepStrictEqual(check({ input: [shared, shared] }), ["shared", "shared"])
  })
})
