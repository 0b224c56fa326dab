/**
 * What the first step of an upload asks for, in both editions of the API.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Details, Fields } from "../http/validation.js"
import * as Validation from "../http/validation.js"

/** @internal The newer edition knows nothing of the file; the older one has its type and size declared. */
export type UploadRequest =
  | {
      readonly edition: "newer"
      readonly purpose: string
      readonly region: string
      readonly ttlDays: number | undefined
    }
  | {
      readonly edition: "older"
      readonly filename: string
      readonly contentType: string
      readonly size: number
    }

const purposes = ["INPUT", "UPLOAD"]
const regions = ["US", "EU", "APAC"]
const largestOlder = 104_857_600
const mimeType = /^[\w.+-]+\/[\w.+-]+$/

const oneOf = (values: ReadonlyArray<string>) => (value: unknown) => Predicate.isString(value) && values.includes(value)

const list = (values: ReadonlyArray<string>): string => `one of ${values.join(", ")}`

const newer = ({ purpose, region, ttl_days: ttlDays }: Fields): Either.Either<UploadRequest, Details> => {
  const details = [
    ...Validation.required(purpose, oneOf(purposes), "purpose", list(purposes), "INVALID_VALUE"),
    ...Validation.optional(region, oneOf(regions), "region", list(regions), "INVALID_VALUE"),
    ...Validation.integer(ttlDays, 1, 365, "ttl_days")
  ]
  return details.length > 0
    ? Either.left(details)
    : Either.right({
        edition: "newer",
        purpose: String(purpose),
        region: String(region ?? "US"),
        ttlDays: Predicate.isNumber(ttlDays) ? ttlDays : undefined
      })
}

const older = ({
  filename,
  content_type: contentType,
  size_bytes: size
}: Fields): Either.Either<UploadRequest, Details> => {
  const isMimeType = (value: unknown) => Predicate.isString(value) && mimeType.test(value)
  const details = [
    ...Validation.required(filename, Predicate.isString, "filename", "a string"),
    ...Validation.required(contentType, isMimeType, "content_type", "a MIME type", "INVALID_VALUE"),
    ...(size === undefined ? [Validation.missing("size_bytes")] : []),
    ...Validation.integer(size, 0, largestOlder, "size_bytes")
  ]
  return details.length > 0
    ? Either.left(details)
    : Either.right({
        edition: "older",
        filename: String(filename),
        contentType: String(contentType),
        size: Number(size)
      })
}

/** @internal A purpose makes it the newer edition, whatever else is there. */
export const decode = (text: string): Either.Either<UploadRequest, Details> =>
  Either.flatMap(Validation.body(text), (fields) => {
    const { purpose, filename, content_type: contentType, size_bytes: size } = fields
    const isOlder = [filename, contentType, size].some((value) => value !== undefined)
    return purpose === undefined && isOlder ? older(fields) : newer(fields)
  })
