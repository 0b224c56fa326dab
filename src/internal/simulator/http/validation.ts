/**
 * What the API finds wrong with the fields of a body.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Detail } from "./response.js"

/** @internal */
export type Details = ReadonlyArray<Detail>

/** @internal */
export type Fields = Readonly<Record<string, unknown>>

/** @internal */
export const isObject = (value: unknown): value is Fields => Predicate.isRecord(value) && !Array.isArray(value)

/** @internal */
export const isWebUrl = (value: unknown): value is string =>
  Predicate.isString(value) && /^https?:\/\/\S+$/i.test(value) && URL.canParse(value)

const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null

/** @internal */
export const body = (text: string): Either.Either<Fields, Details> =>
  Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (): Details => [{ field: "", code: "INVALID_JSON", message: "The body is not JSON" }]
  }).pipe(
    Either.filterOrLeft(isObject, (): Details => [
      { field: "", code: "INVALID_TYPE", message: "The body must be an object" }
    ])
  )

/** @internal */
export const missing = (field: string, name = field): Detail => ({
  field,
  code: "REQUIRED",
  message: `${name} is required`
})

/** @internal Nothing is wrong with a field that is not there, or `null`. */
export const optional = (
  value: unknown,
  test: (value: unknown) => boolean,
  field: string,
  kind: string,
  code = "INVALID_TYPE"
): Details => (isAbsent(value) || test(value) ? [] : [{ field, code, message: `${field} must be ${kind}` }])

/** @internal */
export const required = (
  value: unknown,
  test: (value: unknown) => boolean,
  field: string,
  kind: string,
  code?: string
): Details => (isAbsent(value) || value === "" ? [missing(field)] : optional(value, test, field, kind, code))

/** @internal A whole number in a range, if it is there at all. */
export const integer = (value: unknown, min: number, max: number, field: string, name = field): Details => {
  if (value === undefined) {
    return []
  }
  if (!Number.isInteger(value)) {
    return [{ field, code: "INVALID_TYPE", message: `${name} must be an integer` }]
  }
  return Number(value) < min || Number(value) > max
    ? [{ field, code: "OUT_OF_RANGE", message: `${name} must be between ${min} and ${max}` }]
    : []
}
