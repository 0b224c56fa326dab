/**
 * One HTTP exchange as plain data, so that the same server answers in memory and on a port.
 *
 * @internal
 */
import * as Data from "effect/Data"
import { codes, isCode } from "../../errors/codes.js"

/** @internal All of a request that is there before its body. */
export interface Head {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Scheme and host under which the request came in. */
  readonly origin: string
  /** What presigned URLs begin with, unless the options say otherwise. */
  readonly storage: string
}

/** @internal */
export interface Request extends Head {
  readonly body: Uint8Array
}

/** @internal How the connection treats an answer. `Chunked` ends well, but has announced no length. */
export type Delivery = Data.TaggedEnum<{
  Whole: {}
  Chunked: {}
  Cut: { readonly after: number }
  Dropped: {}
}>

/** @internal */
export const Delivery = Data.taggedEnum<Delivery>()

/** @internal */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly delivery: Delivery
  /** The execution it is about, for the record of requests. */
  readonly executionId?: string | undefined
}

/** @internal A field of the request that is wrong, named by its path from the root of the body. */
export interface Detail {
  readonly field: string
  readonly code: string
  readonly message: string
}

const encoder = new TextEncoder()
const none = new Uint8Array(0)

/** @internal */
export const bytes = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = none
): Answer => ({
  status,
  headers,
  body: typeof body === "string" ? encoder.encode(body) : body,
  delivery: Delivery.Whole()
})

/** @internal */
export const json = (status: number, value: unknown): Answer =>
  bytes(status, { "content-type": "application/json" }, JSON.stringify(value))

/** @internal A connection that ends without an answer; what the answer would have been is kept for the record. */
export const dropped = (answer: Answer): Answer => ({ ...answer, delivery: Delivery.Dropped() })

/** @internal */
export const withHeaders = (answer: Answer, headers: Readonly<Record<string, string>>): Answer => ({
  ...answer,
  headers: { ...headers, ...answer.headers }
})

/** @internal What an error says; `null` leaves an optional field out. */
export interface Refusal {
  readonly code: string
  readonly message: string
  readonly requestId: string | null
  readonly status?: number | undefined
  readonly retryable?: boolean | null | undefined
  readonly details?: ReadonlyArray<Detail> | undefined
}

/** @internal The envelope of every API error; the table of codes fills in the status and whether to retry. */
export const refusal = (error: Refusal): Answer => {
  const known = isCode(error.code) ? codes[error.code] : { status: 400, retryable: false }
  const { retryable = known.retryable, requestId, details } = error
  return json(error.status ?? known.status, {
    error: {
      code: error.code,
      message: error.message,
      ...(retryable === null ? {} : { retryable }),
      ...(requestId === null ? {} : { request_id: requestId }),
      ...(details === undefined ? {} : { details })
    }
  })
}

/** @internal An error of the object storage, which speaks XML. */
export const storageError = (status: number, code: string, message: string): Answer =>
  bytes(
    status,
    { "content-type": "application/xml" },
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  )

/** @internal The storage's answer to a URL that was signed for something else, or by somebody else. */
export const wrongSignature = (): Answer =>
  storageError(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided"
  )
