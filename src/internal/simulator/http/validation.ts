/**
 * Validates the fields of a request body.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"

/** @internal The error of one field. `field` is the path of the field from the root of the body. */
export interface Detail {
  readonly field: string
  readonly code: string
  readonly message: string
}

/** @internal */
export type Details = ReadonlyArray<Detail>

/** @internal */
export type Fields = Readonly<Record<string, unknown>>

/** @internal */
export const isObject = (value: unknown): value is Fields => Predicate.isRecord(value) && !Array.isArray(value)

/** @internal */
export const isHttpUrl = (value: unknown): value is string =>
  Predicate.isString(value) && /^https?:\/\/\S+$/i.test(value) && URL.canParse(value)

const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null

/** @internal Parses a JSON object. Returns the error details if the text is not a JSON object. */
export const parseObject = (text: string): Either.Either<Fields, Details> =>
  Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (): Details => [{ field: "", code: "INVALID_JSON", message: "The body is not JSON" }]
  }).pipe(
    Either.filterOrLeft(isObject, (): Details => [
      { field: "", code: "INVALID_TYPE", message: "The body must be an object" }
    ])
  )

/** @internal */
export const missingField = (field: string, name = field): Detail => ({
  field,
  code: "REQUIRED",
  message: `${name} is required`
})

/** @internal Validates a field. Accepts an absent field and `null`. */
export const checkOptional = (
  value: unknown,
  isValid: (value: unknown) => boolean,
  field: string,
  kind: string,
  code = "INVALID_TYPE"
): Details => (isAbsent(value) || isValid(value) ? [] : [{ field, code, message: `${field} must be ${kind}` }])

/** @internal Validates a field. Rejects an absent field, `null` and an empty string. */
export const checkRequired = (
  value: unknown,
  isValid: (value: unknown) => boolean,
  field: string,
  kind: string,
  code?: string
): Details =>
  isAbsent(value) || value === "" ? [missingField(field)] : checkOptional(value, isValid, field, kind, code)

/** @internal Validates an integer from `min` to `max`. Accepts an absent field. */
export const checkInteger = (value: unknown, min: number, max: number, field: string, name = field): Details => {
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
