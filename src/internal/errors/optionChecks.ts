/**
 * Checks the options of a call before a request is sent. The checks also reject values that the option types forbid,
 * because JavaScript callers have no types. `undefined` is valid for optional options.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { isPathSegment, isRecord } from "../data/lenient.js"
import { invalidRequest } from "./invalidRequest.js"

type Check<A = void> = Either.Either<A, InvalidRequest>

const valid: Check = Either.right(undefined)

const durationAdvice = 'Pass a duration such as "30 seconds", or a number of milliseconds.'

/** Tests whether a duration contains neither a negative number nor NaN. */
const isNotNegative = (input: unknown): boolean => {
  if (typeof input === "string") return !input.startsWith("-")
  if (typeof input === "number" || typeof input === "bigint") return input >= 0
  return !Array.isArray(input) || input.every((part) => typeof part === "number" && part >= 0)
}

/**
 * Checks a duration and returns its milliseconds. Fails with `InvalidRequest` if the duration is negative, `NaN` or
 * below `minimum`. The check precedes `Duration.decodeUnknown`, because Effect decodes negative numbers and `NaN` as
 * zero. Infinity is valid.
 */
const checkDuration = (
  operation: string,
  field: string,
  input: unknown,
  minimum: "zero" | "above zero"
): Check<number> => {
  const reject = (problem: string) => Either.left(invalidRequest(operation, field, problem, durationAdvice))
  const decoded = isNotNegative(input) ? Duration.decodeUnknown(input) : Option.none()
  if (Option.isNone(decoded)) return reject("is not a duration of at least zero")
  const millis = Duration.toMillis(decoded.value)
  return millis === 0 && minimum === "above zero" ? reject("is not above zero") : Either.right(millis)
}

/**
 * Returns a check that fails with `InvalidRequest` if `isValid` is `false`. The message contains the field and its
 * problem, for example "times is not a whole number of at least 0".
 */
type Ensure = (isValid: boolean, field: string, problem: string, advice: string) => Check

const numberChecks = (ensure: Ensure) => ({
  wholeNumber: (field: string, input: unknown, minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Check =>
    ensure(
      input === undefined || (Number.isSafeInteger(input) && Number(input) >= minimum && Number(input) <= maximum),
      field,
      maximum === Number.MAX_SAFE_INTEGER
        ? `is not a whole number of at least ${minimum}`
        : `is not a whole number from ${minimum} to ${maximum}`,
      `Pass a number such as ${Math.max(minimum, 1)}.`
    ),

  number: (field: string, input: unknown, isValid: (input: number) => boolean, expected: string): Check =>
    ensure(
      input === undefined || (typeof input === "number" && isValid(input)),
      field,
      `is not ${expected}`,
      "Pass a number, or omit the option."
    )
})

const typeChecks = (ensure: Ensure) => ({
  oneOf: (field: string, input: unknown, values: ReadonlyArray<unknown>): Check =>
    ensure(
      input === undefined || values.includes(input),
      field,
      "is unknown",
      `Pass ${values.map((value) => JSON.stringify(value)).join(" or ")}.`
    ),

  boolean: (field: string, input: unknown): Check =>
    ensure(input === undefined || typeof input === "boolean", field, "is not a boolean", "Pass true or false."),

  text: (field: string, input: unknown): Check =>
    ensure(
      input === undefined || (typeof input === "string" && input !== ""),
      field,
      "is not a non-empty string",
      "Pass a non-empty string."
    ),

  record: (field: string, input: unknown): Check =>
    ensure(input === undefined || isRecord(input), field, "is not an object", "Pass an object, or omit the option."),

  id: (field: string, input: unknown): Check =>
    ensure(isPathSegment(input), field, "is not an id", "Pass the id that the API returned."),

  function: (field: string, input: unknown): Check =>
    ensure(input === undefined || typeof input === "function", field, "is not a function", "Pass a function."),

  schedule: (field: string, input: unknown): Check =>
    ensure(
      input === undefined || Schedule.isSchedule(input),
      field,
      "is not a Schedule",
      'Pass an Effect Schedule, such as Schedule.spaced("5 seconds").'
    ),

  redacted: (field: string, input: unknown): Check =>
    ensure(
      Redacted.isRedacted(input) && typeof Redacted.value(input) === "string",
      field,
      "is not a Redacted string",
      "Wrap the string with Redacted.make to keep it out of logs."
    )
})

const makeChecks = (operation: string) => {
  const ensure: Ensure = (isValid, field, problem, advice) =>
    isValid ? valid : Either.left(invalidRequest(operation, field, problem, advice))
  return {
    ...numberChecks(ensure),
    ...typeChecks(ensure),
    /**
     * Checks a duration and returns its milliseconds. Fails with `InvalidRequest` if the duration is invalid or below
     * `minimum`.
     */
    duration: (field: string, input: unknown, minimum: "zero" | "above zero") =>
      checkDuration(operation, field, input, minimum)
  }
}

const checksByOperation = new Map<string, ReturnType<typeof makeChecks>>()

/**
 * @internal Returns the option checks of an operation. Creates the checks once, because every call checks its options.
 */
export const checksOf = (operation: string): ReturnType<typeof makeChecks> => {
  let checks = checksByOperation.get(operation)
  if (checks === undefined) {
    checks = makeChecks(operation)
    checksByOperation.set(operation, checks)
  }
  return checks
}

/**
 * Returns the value of a check, or throws its `InvalidRequest`. Functions that do not return an effect, such as
 * `RetryPolicy.backoff`, use `orThrow`.
 *
 * @internal
 */
export const orThrow = <A>(check: Check<A>): A => Either.getOrThrowWith(check, identity)

/** @internal Combines checks. Fails with the `InvalidRequest` of the first check that fails. */
export const checkAll = (checks: Iterable<Check<unknown>>): Check => Either.map(Either.all(checks), () => undefined)
