/**
 * Decodes the body of `POST /v1/files/upload` in both editions of the API.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Validation from "../http/validation.js"

/** @internal A decoded upload request. Only a legacy request declares the name, type and size of the file. */
export type UploadRequest =
  | {
      readonly edition: "current"
      readonly purpose: string
      readonly region: string
      readonly ttlDays: number | undefined
    }
  | {
      readonly edition: "legacy"
      readonly filename: string
      readonly contentType: string
      readonly size: number
    }

type Decoded = Either.Either<UploadRequest, Validation.Details>

const purposes = ["INPUT", "UPLOAD"]
const regions = ["US", "EU", "APAC"]
const maxLegacyBytes = 104_857_600
const mimeType = /^[\w.+-]+\/[\w.+-]+$/

const isOneOf = (values: ReadonlyArray<string>) => (value: unknown) =>
  Predicate.isString(value) && values.includes(value)

const isMimeType = (value: unknown) => Predicate.isString(value) && mimeType.test(value)

const listOf = (values: ReadonlyArray<string>): string => `one of ${values.join(", ")}`

const decodeCurrent = ({ purpose, region, ttl_days: ttlDays }: Validation.Fields): Decoded => {
  const details = [
    ...Validation.checkRequired(purpose, isOneOf(purposes), "purpose", listOf(purposes), "INVALID_VALUE"),
    ...Validation.checkOptional(region, isOneOf(regions), "region", listOf(regions), "INVALID_VALUE"),
    ...Validation.checkInteger(ttlDays, 1, 365, "ttl_days")
  ]
  return details.length > 0
    ? Either.left(details)
    : Either.right({
        edition: "current",
        purpose: String(purpose),
        region: String(region ?? "US"),
        ttlDays: Predicate.isNumber(ttlDays) ? ttlDays : undefined
      })
}

const decodeLegacy = ({ filename, content_type: contentType, size_bytes: size }: Validation.Fields): Decoded => {
  const details = [
    ...Validation.checkRequired(filename, Predicate.isString, "filename", "a string"),
    ...Validation.checkRequired(contentType, isMimeType, "content_type", "a MIME type", "INVALID_VALUE"),
    ...(size === undefined ? [Validation.missingField("size_bytes")] : []),
    ...Validation.checkInteger(size, 0, maxLegacyBytes, "size_bytes")
  ]
  return details.length > 0
    ? Either.left(details)
    : Either.right({
        edition: "legacy",
        filename: String(filename),
        contentType: String(contentType),
        size: Number(size)
      })
}

/**
 * Decodes an upload request of either edition. A request without `purpose` but with a field of the legacy edition uses
 * the legacy edition.
 *
 * @internal
 */
export const decode = (text: string): Decoded =>
  Either.flatMap(Validation.parseObject(text), (fields) => {
    const { purpose, filename, content_type: contentType, size_bytes: size } = fields
    const isLegacy = purpose === undefined && [filename, contentType, size].some((value) => value !== undefined)
    return isLegacy ? decodeLegacy(fields) : decodeCurrent(fields)
  })
