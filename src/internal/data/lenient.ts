/**
 * Decodes responses leniently. A field that is `null` or invalid is treated as absent. An invalid field must not fail the
 * whole response, because the caller has paid for the other fields.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** @internal Returns the schema of an optional field. If the value of the field is invalid, the field becomes absent. */
export const lenient = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalToOptional(Schema.Unknown, Schema.typeSchema(schema), {
    // `decodeUnknownOption` compiles the parser. The call is inside `decode`, so that the import of a module compiles
    // no parsers.
    decode: Option.flatMap((wire) => (wire === null ? Option.none() : Schema.decodeUnknownOption(schema)(wire))),
    encode: Option.map((value): unknown => Schema.encodeSync(schema)(value))
  })

/** The maximum duration that a response may contain, ten years. */
const maxDurationMillis = 315_576_000_000

/** @internal Tests whether a value is a duration in milliseconds of at most ten years. */
export const isDurationMillis = (u: unknown): u is number => typeof u === "number" && u >= 0 && u <= maxDurationMillis

/** @internal Schema of a duration in milliseconds, such as a latency. Rejects Infinity and negative numbers. */
export const DurationMillis = Schema.compose(
  Schema.Number.pipe(Schema.filter(isDurationMillis)),
  Schema.DurationFromMillis
)

/** @internal Tests whether a value is an object other than an array. */
export const isRecord = (u: unknown): u is { readonly [key: string]: unknown } =>
  typeof u === "object" && u !== null && !Array.isArray(u)

/**
 * Schema of an object with any fields. Decoding returns the object itself. `Schema.Record` would copy the fields by
 * assignment, and an assigned `__proto__` field replaces the prototype of the copy.
 *
 * @internal
 */
export const Attributes: Schema.Schema<{ readonly [key: string]: unknown }> = Schema.declare(isRecord, {
  jsonSchema: { type: "object" }
})

/** @internal Returns the value if it is a string. Otherwise, returns `undefined`. */
export const readString = (u: unknown): string | undefined => (typeof u === "string" ? u : undefined)

/** @internal Returns the value if it is a non-empty string. Otherwise, returns `undefined`. */
export const nonEmptyString = (u: unknown): string | undefined => (typeof u === "string" && u !== "" ? u : undefined)

/**
 * Tests whether a text can be one segment of a URL path. Rejects lone surrogates, which have no URL encoding. Rejects
 * `.` and `..`, because these segments refer to other paths. Also rejects control characters and texts of more than 512
 * characters, because error messages contain the segment.
 *
 * @internal
 */
export const isPathSegment = (u: unknown): u is string =>
  typeof u === "string" && u !== "." && u !== ".." && /^[^\p{Surrogate}\p{Cc}]{1,512}$/u.test(u)

/** @internal Returns the value if it is an id that requests can contain. Otherwise, returns `undefined`. */
export const idOf = (u: unknown): string | undefined => (isPathSegment(u) ? u : undefined)

/** @internal Tests whether a value is an absolute http(s) URL. */
export const isHttpUrl = (u: unknown): u is string => typeof u === "string" && /^https?:/i.test(u) && URL.canParse(u)

type WithoutUndefined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/**
 * Copies an object without the fields that are `undefined`. TypeScript cannot infer the type of the copy, so the
 * function asserts this type.
 *
 * @internal
 */
export const omitUndefined = <T extends object>(fields: T): WithoutUndefined<T> => {
  const copy: Record<string, unknown> = {}
  for (const key in fields) if (fields[key] !== undefined) copy[key] = fields[key]
  return copy as WithoutUndefined<T>
}
