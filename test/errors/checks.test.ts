/** Tests each check of an option. `optionChecks.test.ts` tests the options of client methods. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, Redacted, Schedule } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import { checkAll, checksOf, orThrow } from "../../src/internal/errors/optionChecks.js"

describe("check of an option", () => {
  // The checks of an operation are created once, so each test uses a new operation.
  const newOperation = () => `operation ${globalThis.crypto.randomUUID()}`
  const isPositive = (input: number) => input > 0

  const cases: ReadonlyArray<
    readonly [
      expected: string,
      check: (
        checks: ReturnType<typeof checksOf>,
        input: unknown
      ) => Either.Either<unknown, ModelRouteError.InvalidRequest>,
      valid: ReadonlyArray<unknown>,
      invalid: ReadonlyArray<unknown>
    ]
  > = [
    [
      "is not a whole number of at least 2. Pass a number such as 2.",
      (checks, input) => checks.wholeNumber("x", input, 2),
      [undefined, 2, 3, Number.MAX_SAFE_INTEGER],
      [1, 2.5, "3", 3n, null, Number.NaN, Infinity]
    ],
    [
      "is not a whole number of at least 0. Pass a number such as 1.",
      (checks, input) => checks.wholeNumber("x", input, 0),
      [0],
      [-1]
    ],
    [
      "is not a whole number from 1 to 5. Pass a number such as 1.",
      (checks, input) => checks.wholeNumber("x", input, 1, 5),
      [undefined, 1, 5],
      [0, 6]
    ],
    [
      "is not above zero. Pass a number, or omit the option.",
      (checks, input) => checks.number("x", input, isPositive, "above zero"),
      [undefined, 0.5, Infinity],
      [0, "1", null]
    ],
    [
      'is unknown. Pass "a" or "b" or 3.',
      (checks, input) => checks.oneOf("x", input, ["a", "b", 3]),
      [undefined, "a", 3],
      ["c", null, "3"]
    ],
    [
      "is not a boolean. Pass true or false.",
      (checks, input) => checks.boolean("x", input),
      [undefined, true, false],
      [0, "true", null]
    ],
    [
      "is not a non-empty string. Pass a non-empty string.",
      (checks, input) => checks.text("x", input),
      [undefined, "a"],
      ["", 5, null]
    ],
    [
      "is not an object. Pass an object, or omit the option.",
      (checks, input) => checks.record("x", input),
      [undefined, {}],
      [[], null, "a"]
    ],
    [
      "is not an id. Pass the id that the API returned.",
      (checks, input) => checks.id("x", input),
      ["exec_1"],
      [undefined, "", "..", 5]
    ],
    [
      "is not a function. Pass a function.",
      (checks, input) => checks.function("x", input),
      [undefined, () => 1],
      [{}, null, "f"]
    ],
    [
      'is not a Schedule. Pass an Effect Schedule, such as Schedule.spaced("5 seconds").',
      (checks, input) => checks.schedule("x", input),
      [undefined, Schedule.forever],
      [{}, 5, null]
    ],
    [
      "is not a Redacted string. Wrap the string with Redacted.make to keep it out of logs.",
      (checks, input) => checks.redacted("x", input),
      [Redacted.make("a")],
      [undefined, "a", Redacted.make(5)]
    ],
    [
      'is not a duration of at least zero. Pass a duration such as "30 seconds", or a number of milliseconds.',
      (checks, input) => checks.duration("x", input, "zero"),
      [0, 5, 0n, 5n, [0, 5], [5, 0], "0 seconds", "5 seconds", Infinity, Duration.zero, Duration.infinity],
      [-1, -1n, [-1, 0], [0, -1], ["1", 0], "-5 seconds", "soon", Number.NaN, [Number.NaN, 0], undefined, null, {}]
    ],
    [
      'is not above zero. Pass a duration such as "30 seconds", or a number of milliseconds.',
      (checks, input) => checks.duration("x", input, "above zero"),
      [1, "1 millis", Infinity],
      [0, 0n, [0, 0], "0 seconds", Duration.zero]
    ]
  ]
  for (const [expected, check, valid, invalid] of cases) {
    it(`fails with InvalidRequest if the option ${expected}`, () => {
      const operation = newOperation()
      const checks = checksOf(operation)
      for (const input of valid) assert.isTrue(Either.isRight(check(checks, input)), String(input))
      for (const input of invalid) {
        const error = Either.getOrThrow(Either.flip(check(checks, input)))
        assert.deepInclude(error, { _tag: "InvalidRequest", operation, field: "x", attempts: 0 })
        assert.strictEqual(error.message, `${operation}: x ${expected}`)
      }
    })
  }

  it("returns the milliseconds of a duration", () => {
    const checks = checksOf(newOperation())
    for (const [input, millis] of [
      ["2 seconds", 2000],
      [[1, 500_000_000], 1500],
      [7n, 0.000_007],
      [0, 0]
    ] as const) {
      assert.deepStrictEqual(checks.duration("x", input, "zero"), Either.right(millis))
    }
  })

  it("throws the InvalidRequest with orThrow, and otherwise returns the value", () => {
    const checks = checksOf("RetryPolicy.make")
    assert.strictEqual(orThrow(checks.duration("x", 5, "zero")), 5)
    assert.throws(() => orThrow(checks.duration("x", -5, "zero")), "RetryPolicy.make: x is not a duration")
  })

  it("fails with the error of the first check that fails in checkAll", () => {
    const checks = checksOf(newOperation())
    assert.deepStrictEqual(
      checkAll([checks.boolean("a", true), checks.boolean("b", undefined)]),
      Either.right(undefined)
    )
    const failed = checkAll([checks.boolean("a", true), checks.boolean("b", 1), checks.boolean("c", 1)])
    assert.strictEqual(Either.getOrThrow(Either.flip(failed)).field, "b")
  })

  it("is created once for each operation", () => {
    const [first, second] = [newOperation(), newOperation()]
    assert.strictEqual(checksOf(first), checksOf(first))
    for (const operation of [first, second]) {
      const error = Either.getOrThrow(Either.flip(checksOf(operation).boolean("x", 1)))
      assert.strictEqual(error.operation, operation)
    }
  })
})
