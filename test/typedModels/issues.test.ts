/** Tests the descriptions of values that do not match a schema. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc, ParseResult, Schema } from "effect"
import { describeIssues } from "../../src/internal/typedModels/issues.js"

const describeDecoding = <A, I>(schema: Schema.Schema<A, I>, value: unknown): ReadonlyArray<string> => {
  const decoded = ParseResult.decodeUnknownEither(schema, { errors: "all" })(value)
  if (Either.isRight(decoded)) return []
  return Effect.runSync(describeIssues("output", decoded.left, value)).map(({ message, path }) => `${path} ${message}`)
}

describe("describeIssues", () => {
  const redactedNumber = 'output Unable to decode "[redacted]" into a number'
  for (const value of ["7-(7", "ab", "$&", "canary fox"]) {
    it(`omits the decoded value from the message of a failed transformation: ${value}`, () => {
      assert.deepStrictEqual(describeDecoding(Schema.NumberFromString, value), [redactedNumber])
    })
  }

  it("omits the field values of an object from the message of a filter", () => {
    const Range = Schema.Struct({ from: Schema.Number, to: Schema.Number }).pipe(
      Schema.filter(({ from, to }) => from < to || `from (${from}) must be less than to (${to})`)
    )
    assert.deepStrictEqual(describeDecoding(Range, { from: 77, to: 7 }), [
      "output from ([redacted]) must be less than to ([redacted])"
    ])
  })

  it("omits the decoded text from the message for invalid JSON", () => {
    const [message = ""] = describeDecoding(Schema.parseJson(), "canary fox in snow")
    assert.notInclude(message, "canary")
  })

  it("returns a general message if the message function of the schema throws an exception", () => {
    const Broken = Schema.String.annotations({
      message: () => {
        throw new Error("canary")
      }
    })
    assert.deepStrictEqual(describeDecoding(Broken, 7), ["output does not match the schema"])
  })

  it("returns at most 20 issues of at most 301 characters", () => {
    const Wide = Schema.Array(Schema.Literal(...Array.from({ length: 200 }, (_, n) => `value-${n}`)))
    const found = describeDecoding(
      Wide,
      Array.from({ length: 5 }, () => 0)
    )
    assert.lengthOf(found, 20)
    const Long = Schema.String.annotations({ message: () => "word ".repeat(1000) })
    assert.isAtMost(describeDecoding(Long, 7).join().length, "output ".length + 301)
  })

  it("omits every string of a random value from the messages", () => {
    const Nested = Schema.Struct({
      a: Schema.Array(Schema.NumberFromString),
      b: Schema.Union(Schema.Boolean, Schema.Struct({ c: Schema.DateFromString })),
      d: Schema.Record({ key: Schema.String, value: Schema.Int })
    })
    const secret = fc.string({ minLength: 3 }).map((text) => `~${text}~`)
    fc.assert(
      fc.property(secret, secret, secret, secret, (first, second, key, third) => {
        const value = { a: [first], b: { c: second }, d: { [key]: third } }
        const text = describeDecoding(Nested, value).join("\n")
        for (const part of [first, second, key, third]) assert.notInclude(text, part)
      })
    )
  })
})
