/**
 * Checks options where they are given, before anything is sent or paid: also those that the types rule out, because a caller can write
 * JavaScript. An option that is absent is right.
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

const right: Check = Either.right(undefined)

/** @internal The checks of one operation. `problem` continues a sentence that begins with the option's name. */
export const checksOf = (operation: string) => {
  const wrong = (field: string, problem: string, cure: string) =>
    Either.left(invalidRequest(operation, field, problem, cure))

  const ensure = (isRight: boolean, field: string, problem: string, cure: string): Check =>
    isRight ? right : wrong(field, problem, cure)

  const durationCure = 'Give a duration such as "30 seconds", or a number of milliseconds.'

  /** In milliseconds; infinity is allowed. Effect itself reads a negative number and NaN as zero. */
  const duration = (field: string, input: unknown, least: "zero" | "above zero"): Check<number> => {
    const isDuration = typeof input === "number" ? input >= 0 : typeof input !== "string" || !input.startsWith("-")
    const decoded = isDuration ? Duration.decodeUnknown(input) : Option.none()
    if (Option.isNone(decoded)) return wrong(field, "is not a duration of at least zero", durationCure)
    const millis = Duration.toMillis(decoded.value)
    return millis === 0 && least === "above zero"
      ? wrong(field, "is not above zero", durationCure)
      : Either.right(millis)
  }

  return {
    duration,

    wholeNumber: (field: string, input: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): Check =>
      ensure(
        input === undefined || (Number.isSafeInteger(input) && Number(input) >= least && Number(input) <= most),
        field,
        most === Number.MAX_SAFE_INTEGER
          ? `is not a whole number of at least ${least}`
          : `is not a whole number from ${least} to ${most}`,
        `Give a number such as ${Math.max(least, 1)}.`
      ),

    number: (field: string, input: unknown, isRight: (input: number) => boolean, wanted: string): Check =>
      ensure(
        input === undefined || (typeof input === "number" && isRight(input)),
        field,
        `is not ${wanted}`,
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
        "is not a text",
        "Give a string that is not empty."
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
        "is not a Redacted text",
        "Wrap it with Redacted.make, so that no log shows it."
      )
  }
}

/** @internal For constructors that return no effect: throws the `InvalidRequest` where the option is given. */
export const orThrow = <A>(check: Check<A>): A => Either.getOrThrowWith(check, identity)

/** @internal The first check that fails. */
export const checkAll = (checks: Iterable<Check<unknown>>): Check => Either.map(Either.all(checks), () => undefined)
