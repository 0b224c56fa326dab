/**
 * Lenient decoding of responses. A field that is missing, null or unreadable becomes absent. The caller has paid for
 * the result, so one unreadable field must not make it fail.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** @internal Returns the schema of a field that is absent if it cannot be decoded. */
export const lenient = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownOption(schema)
  const encode = Schema.encodeSync(schema)
  return Schema.optionalToOptional(Schema.Unknown, Schema.typeSchema(schema), {
    decode: Option.flatMap((wire) => (wire === null ? Option.none() : decode(wire))),
    encode: Option.map((value): unknown => encode(value))
  })
}

/** Ten years. */
const maxDurationMillis = 315_576_000_000

/**
 * The schema of a duration in milliseconds, such as a latency. Infinity and negative numbers do not decode.
 *
 * @internal
 */
export const DurationMillis = Schema.compose(
  Schema.Number.pipe(Schema.between(0, maxDurationMillis)),
  Schema.DurationFromMillis
)

/** @internal The schema of an object with any fields. */
export const Attributes = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** @internal Tests whether a value is an object, and not an array. */
export const isRecord = (u: unknown): u is { readonly [key: string]: unknown } =>
  typeof u === "object" && u !== null && !Array.isArray(u)

/** @internal Returns a string that is not empty, or `undefined`. */
export const nonEmptyString = (u: unknown): string | undefined => (typeof u === "string" && u !== "" ? u : undefined)

/**
 * Whether a value can be one segment of a URL path. A lone surrogate has no encoding, and `.` and `..` name other paths. Messages quote
 * ids, so control characters and long texts are not accepted either.
 *
 * @internal
 */
export const isPathSegment = (u: unknown): u is string =>
  typeof u === "string" && u !== "." && u !== ".." && /^[^\p{Surrogate}\p{Cc}]{1,512}$/u.test(u)

/** @internal Returns an id that later requests can contain. */
export const idOf = (u: unknown): string | undefined => (isPathSegment(u) ? u : undefined)

/** @internal Tests whether a value is an absolute http(s) URL. */
export const isHttpUrl = (u: unknown): u is string => typeof u === "string" && /^https?:/i.test(u) && URL.canParse(u)

type WithoutUndefined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** @internal Removes the fields that are `undefined`. TypeScript cannot follow the filter, so the type is asserted. */
export const omitUndefined = <T extends object>(fields: T): WithoutUndefined<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as WithoutUndefined<T>
