/**
 * Decodes responses leniently. A field that is missing, `null` or invalid becomes absent. One invalid field must not
 * fail a response, because the caller has paid for the result.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** @internal Returns the schema of a field. A value that cannot be decoded makes the field absent. */
export const lenient = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalToOptional(Schema.Unknown, Schema.typeSchema(schema), {
    // The parsers are compiled at the first use, so that the import of a module stays fast.
    decode: Option.flatMap((wire) => (wire === null ? Option.none() : Schema.decodeUnknownOption(schema)(wire))),
    encode: Option.map((value): unknown => Schema.encodeSync(schema)(value))
  })

/** The maximum duration, ten years. */
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
 * Schema of an object with any fields. `Schema.Record` copies an object by assignment, which would drop a field named
 * `__proto__` or replace the prototype of the copy. This schema returns the object itself.
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
 * Tests whether a value can be one segment of a URL path. A lone surrogate has no encoding, and `.` and `..` refer to
 * other paths. Rejects control characters and texts of more than 512 characters, because messages quote ids.
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
 * Copies an object without the fields that are `undefined`. Asserts the type of the copy, because TypeScript cannot
 * infer this type.
 *
 * @internal
 */
export const omitUndefined = <T extends object>(fields: T): WithoutUndefined<T> => {
  const copy: Record<string, unknown> = {}
  for (const key in fields) if (fields[key] !== undefined) copy[key] = fields[key]
  return copy as WithoutUndefined<T>
}
