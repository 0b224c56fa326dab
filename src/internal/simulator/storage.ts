/**
 * The object storage behind presigned URLs: it knows no API key, only signatures.
 *
 * @internal
 */
import type { Answer, Request } from "./answer.js"
import * as AnswerOf from "./answer.js"
import * as Ids from "./ids.js"
import type { Picture } from "./picture.js"
import * as PictureOf from "./picture.js"
import { amzDate, parseAmzDate } from "./time.js"

/** @internal Seconds that a presigned URL lives. */
export const linkLife = 3600

const signature = (seed: number, fileId: string, date: string, expires: string): string =>
  Ids.signature(seed, `GET ${fileId} ${date} ${expires}`)

/** @internal The URL under which anybody may read the file for an hour. `now` is on the server's clock. */
export const link = (base: string, seed: number, fileId: string, now: number): string => {
  const date = amzDate(now)
  const query = new URLSearchParams({
    "X-Amz-Date": date,
    "X-Amz-Expires": String(linkLife),
    "X-Amz-Signature": signature(seed, fileId, date, String(linkLife))
  })
  return `${base}/files/${fileId}?${query}`
}

/** @internal */
export const serve = (
  request: Request,
  options: {
    readonly seed: number
    readonly fileId: string
    readonly now: number
    readonly picture: Picture | undefined
  }
): Answer => {
  const { seed, fileId, now, picture } = options
  const query = new URL(request.url, request.origin).searchParams
  const date = query.get("X-Amz-Date") ?? ""
  const expires = query.get("X-Amz-Expires") ?? ""
  if (request.method !== "GET") {
    return AnswerOf.storageError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
  }
  if (request.headers["authorization"] !== undefined) {
    return AnswerOf.storageError(
      400,
      "InvalidArgument",
      "Only one auth mechanism allowed; only the Signature query string parameter or the Authorization header should be specified"
    )
  }
  if (query.get("X-Amz-Signature") !== signature(seed, fileId, date, expires)) {
    return AnswerOf.storageError(
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided"
    )
  }
  if (now >= parseAmzDate(date) + Number(expires) * 1000) {
    return AnswerOf.storageError(403, "AccessDenied", "Request has expired")
  }
  return picture === undefined
    ? AnswerOf.storageError(404, "NoSuchKey", "The specified key does not exist.")
    : AnswerOf.bytes(200, { "content-type": "image/png" }, PictureOf.draw(picture))
}
