/**
 * URLs that open one file to anybody, for one verb and for an hour.
 *
 * @internal
 */
import type { Answer, Request } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import * as Ids from "../ids.js"
import { amzDate, parseAmzDate } from "../time.js"

/** @internal Seconds that a presigned URL lives. */
export const life = 3600

/** @internal */
export type Verb = "GET" | "PUT"

/** @internal A file's place in the storage. */
export interface Place {
  /** The only verb that this place knows, undefined where nothing is. */
  readonly verb: Verb | undefined
  readonly fileId: string
}

/** @internal Where the files are read, and where they are put. */
export const folders: { readonly [V in Verb]: string } = { GET: "files", PUT: "uploads" }

const signature = (seed: number, verb: Verb, fileId: string, date: string, expires: string): string =>
  Ids.signature(seed, `${verb} ${fileId} ${date} ${expires}`)

/** @internal `now` is on the server's clock. */
export const url = (base: string, seed: number, verb: Verb, fileId: string, now: number): string => {
  const date = amzDate(now)
  const query = new URLSearchParams({
    "X-Amz-Date": date,
    "X-Amz-Expires": String(life),
    "X-Amz-Signature": signature(seed, verb, fileId, date, String(life))
  })
  return `${base}/${folders[verb]}/${fileId}?${query}`
}

/** @internal The storage knows no API key, only signatures. Undefined lets the request in. */
export const refuse = (request: Request, seed: number, verb: Verb, fileId: string, now: number): Answer | undefined => {
  if (request.headers["authorization"] !== undefined) {
    return AnswerOf.storageError(
      400,
      "InvalidArgument",
      "Only one auth mechanism allowed; only the Signature query string parameter or the Authorization header should be specified"
    )
  }
  const query = new URL(request.url, request.origin).searchParams
  const date = query.get("X-Amz-Date") ?? ""
  const expires = query.get("X-Amz-Expires") ?? ""
  if (query.get("X-Amz-Signature") !== signature(seed, verb, fileId, date, expires)) {
    return AnswerOf.wrongSignature()
  }
  return now >= parseAmzDate(date) + Number(expires) * 1000
    ? AnswerOf.storageError(403, "AccessDenied", "Request has expired")
    : undefined
}
