/**
 * Schemas that read what the API sends and do not insist: a field that is missing, null or unreadable is absent, because
 * one odd field must not cost the caller a result that was paid for.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "./json.js"

/** @internal A field that is absent where it cannot be read; `key` is its name on the wire. */
export const lenient = <A, I>(schema: Schema.Schema<A, I>, key: string) => {
  const decode = Schema.decodeUnknownOption(schema)
  const encode = Schema.encodeSync(schema)
  return Schema.optionalToOptional(Schema.Unknown, Schema.typeSchema(schema), {
    decode: Option.flatMap((wire) => (wire === null ? Option.none() : decode(wire))),
    encode: Option.map((value): unknown => encode(value))
  }).pipe(Schema.fromKey(key))
}

/** Milliseconds. Nothing takes longer than ten years. */
const longestDurationMillis = 315_576_000_000

/** @internal A duration in milliseconds, such as a latency. Infinity and negative numbers do not decode. */
export const DurationMillis = Schema.compose(
  Schema.Number.pipe(Schema.between(0, longestDurationMillis)),
  Schema.DurationFromMillis
)

/** @internal */
export const Attributes = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** @internal */
export const isRecord = (u: unknown): u is { readonly [key: string]: unknown } =>
  typeof u === "object" && u !== null && !Array.isArray(u)

/** @internal A text that says something. */
export const nonEmptyString = (u: unknown): string | undefined => (typeof u === "string" && u !== "" ? u : undefined)

/** @internal An absolute http(s) URL. */
export const isHttpUrl = (u: unknown): u is string => typeof u === "string" && /^https?:/i.test(u) && URL.canParse(u)

type WithoutUndefined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** @internal Optional fields are absent, never `undefined`; TypeScript cannot follow the filter, hence the assertion. */
export const omitUndefined = <T extends object>(fields: T): WithoutUndefined<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as WithoutUndefined<T>

/** @internal The fields that a model has no name for; the names of those it has are separated by blanks. */
export const omitFields = (names: string): ((json: Json) => Json) => {
  // Copied by assignment, as schemas do, `__proto__` would be no field.
  const known = new Set(["__proto__", ...names.split(" ")])
  return (json) => Object.fromEntries(Object.entries(json).filter(([key]) => !known.has(key)))
}
