/**
 * Checks options before anything is sent or paid. It also checks what the types forbid, because the caller can use JavaScript. An absent
 * option is valid.
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
import { invalidRequest } from "./invalidRequest.js"

type Check<A = void> = Either.Either<A, InvalidRequest>

const valid: Check = Either.right(undefined)

/** @internal Returns the checks of one operation. `problem` continues a sentence that begins with the option's name. */
export const checksOf = (operation: string) => {
  const reject = (field: string, problem: string, advice: string) =>
    Either.left(invalidRequest(operation, field, problem, advice))

  const ensure = (isValid: boolean, field: string, problem: string, advice: string): Check =>
    isValid ? valid : reject(field, problem, advice)

  const durationAdvice = 'Give a duration such as "30 seconds", or a number of milliseconds.'

  /** Returns milliseconds. Infinity is valid. Effect reads a negative number and NaN as zero, so they are rejected here. */
  const duration = (field: string, input: unknown, minimum: "zero" | "above zero"): Check<number> => {
    const isDuration = typeof input === "number" ? input >= 0 : typeof input !== "string" || !input.startsWith("-")
    const decoded = isDuration ? Duration.decodeUnknown(input) : Option.none()
    if (Option.isNone(decoded)) return reject(field, "is not a duration of at least zero", durationAdvice)
    const millis = Duration.toMillis(decoded.value)
    return millis === 0 && minimum === "above zero"
      ? reject(field, "is not above zero", durationAdvice)
      : Either.right(millis)
  }

  return {
    duration,

    wholeNumber: (field: string, input: unknown, minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Check =>
      ensure(
        input === undefined || (Number.isSafeInteger(input) && Number(input) >= minimum && Number(input) <= maximum),
        field,
        maximum === Number.MAX_SAFE_INTEGER
          ? `is not a whole number of at least ${minimum}`
          : `is not a whole number from ${minimum} to ${maximum}`,
        `Give a number such as ${Math.max(minimum, 1)}.`
      ),

    number: (field: string, input: unknown, isValid: (input: number) => boolean, expected: string): Check =>
      ensure(
        input === undefined || (typeof input === "number" && isValid(input)),
        field,
        `is not ${expected}`,
        "Give a number, or leave the option out."
      ),

    oneOf: (field: string, input: unknown, values: ReadonlyArray<unknown>): Check =>
      ensure(
        input === undefined || values.includes(input),
        field,
        "is unknown",
        `Give ${values.map((value) => JSON.stringify(value)).join(" or ")}.`
      ),

    boolean: (field: string, input: unknown): Check =>
      ensure(input === undefined || typeof input === "boolean", field, "is not a boolean", "Give true or false."),

    text: (field: string, input: unknown): Check =>
      ensure(
        input === undefined || (typeof input === "string" && input !== ""),
        field,
        "is not a non-empty string",
        "Give a non-empty string."
      ),

    function: (field: string, input: unknown): Check =>
      ensure(input === undefined || typeof input === "function", field, "is not a function", "Give a function."),

    schedule: (field: string, input: unknown): Check =>
      ensure(
        input === undefined || Schedule.isSchedule(input),
        field,
        "is not a Schedule",
        'Give a Schedule of Effect, such as Schedule.spaced("5 seconds").'
      ),

    redacted: (field: string, input: unknown): Check =>
      ensure(
        Redacted.isRedacted(input) && typeof Redacted.value(input) === "string",
        field,
        "is not a Redacted string",
        "Wrap it with Redacted.make, so that no log shows it."
      )
  }
}

/** @internal Throws the `InvalidRequest`. For constructors that do not return an effect. */
export const orThrow = <A>(check: Check<A>): A => Either.getOrThrowWith(check, identity)

/** @internal Returns the first check that fails. */
export const checkAll = (checks: Iterable<Check<unknown>>): Check => Either.map(Either.all(checks), () => undefined)
