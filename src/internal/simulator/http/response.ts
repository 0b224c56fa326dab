/**
 * Represents an HTTP response as plain data, for the simulator in memory and on a port.
 *
 * @internal
 */
import * as Data from "effect/Data"
import { codes, isCode } from "../../errors/codes.js"
import type { Detail } from "./validation.js"

/**
 * The transmission of a response. `Complete` sends the full body with a Content-Length. `Chunked` sends the full body
 * without a Content-Length. `Cut` resets the connection after `after` bytes of the body. `Dropped` resets the
 * connection without a response.
 *
 * @internal
 */
export type Transmission = Data.TaggedEnum<{
  Complete: {}
  Chunked: {}
  Cut: { readonly after: number }
  Dropped: {}
}>

/** @internal */
export const Transmission = Data.taggedEnum<Transmission>()

/** @internal */
export interface ResponseData {
  readonly status: number
  /** Header names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly transmission: Transmission
  /** Id of the execution in the response, for the request log. */
  readonly executionId?: string | undefined
}

const encoder = new TextEncoder()
const emptyBytes = new Uint8Array(0)

/** @internal Returns a response with a text or binary body. */
export const bytesResponse = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = emptyBytes
): ResponseData => ({
  status,
  headers,
  body: typeof body === "string" ? encoder.encode(body) : body,
  transmission: Transmission.Complete()
})

/** @internal */
export const jsonResponse = (status: number, value: unknown): ResponseData =>
  bytesResponse(status, { "content-type": "application/json" }, JSON.stringify(value))

/** @internal Marks a response as dropped. The server then resets the connection instead of sending the response. */
export const dropResponse = (response: ResponseData): ResponseData => ({
  ...response,
  transmission: Transmission.Dropped()
})

/** @internal Adds headers to a response. Does not replace existing headers. */
export const withHeaders = (response: ResponseData, headers: Readonly<Record<string, string>>): ResponseData => ({
  ...response,
  headers: { ...headers, ...response.headers }
})

/** @internal The fields of an error envelope. `null` omits an optional field. */
export interface ErrorFields {
  readonly code: string
  readonly message: string
  readonly requestId: string | null
  readonly status?: number | undefined
  readonly retryable?: boolean | null | undefined
  readonly details?: ReadonlyArray<Detail> | undefined
}

/**
 * Returns a response with an error envelope of the API. By default, the status and `retryable` are the documented
 * values of the error code. For an undocumented code, the defaults are 400 and `false`.
 *
 * @internal
 */
export const errorResponse = (error: ErrorFields): ResponseData => {
  const defaults = isCode(error.code) ? codes[error.code] : { status: 400, retryable: false }
  const { retryable = defaults.retryable, requestId, details } = error
  return jsonResponse(error.status ?? defaults.status, {
    error: {
      code: error.code,
      message: error.message,
      ...(retryable === null ? {} : { retryable }),
      ...(requestId === null ? {} : { request_id: requestId }),
      ...(details === undefined ? {} : { details })
    }
  })
}

/** @internal Returns an XML error response of the object storage. */
export const storageError = (status: number, code: string, message: string): ResponseData =>
  bytesResponse(
    status,
    { "content-type": "application/xml" },
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  )

/** @internal Returns the storage's error response for a request that does not match the signature of the URL. */
export const signatureMismatch = (): ResponseData =>
  storageError(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided"
  )
