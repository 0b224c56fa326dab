/**
 * Reads the bytes of one response of a download.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RequestFailure } from "../../ModelRouteError.js"
import * as monotonic from "../data/monotonic.js"
import * as classify from "../errors/classify.js"
import * as exchange from "../http/attempt.js"
import { within } from "../http/attemptTimeout.js"
import * as contentEncoding from "../http/contentEncoding.js"
import type { Sender } from "../http/retryLoop.js"
import { diagnose } from "../http/transportError.js"
import { type Part, placeOf, differ, etagOf, isEncoded, wholeNumber } from "./downloadState.js"

/** @internal */
export type Bytes = Stream.Stream<Uint8Array, RequestFailure>

/** What the API has said of the file that a link leads to. */
export interface Promised {
  readonly size: number | undefined
  readonly contentType: string | undefined
}

/** @internal */
export const nothingPromised: Promised = { size: undefined, contentType: undefined }

/** @internal */
export const isHtml = (contentType: string | undefined): boolean => /^text\/html\b/i.test(contentType ?? "")

/** @internal */
export const isUnverifiable =
  "the file is encoded without a Content-Length, so fetch cannot tell whether it is complete; undici and node:http can"

/** @internal */
export const isOtherFile = "the response is not the file, or not the version that has arrived so far"

/** Ends the response without reading it: an unread body would keep its connection. */
export const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(Stream.toPull(response.stream), Effect.ignore))

/** @internal */
export const failsUnread = (arrival: exchange.Arrival, problem: string): Effect.Effect<never, RequestFailure> =>
  Effect.zipRight(discard(arrival.response), exchange.failsWith(arrival, problem))

/** What all requests of one download share. */
export interface Download {
  readonly sender: Sender
  /** Without the API key. */
  readonly storage: HttpClient.HttpClient
  readonly part: Part
}

/** @internal */
export type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

/** The bytes as they arrive; each chunk has the time limit of an attempt. */
export const bytesFrom = (
  { part, sender }: Download,
  arrival: exchange.Arrival,
  pull: Pull,
  skipped: number
): Bytes => {
  const { context } = arrival
  const limitMillis = Duration.toMillis(sender.limits.duration)
  let toSkip = skipped
  const failed = (error: HttpClientError.ResponseError): Option.Option<RequestFailure> =>
    // The platform has an error for a response without a body.
    error.reason === "EmptyBody"
      ? Option.none()
      : Option.some(classify.unanswered("truncated", context, diagnose(error).words))
  const timeout = () => Option.some(classify.unanswered("timeout", context, "the file's bytes stopped coming"))

  const take = (chunk: Chunk.Chunk<Uint8Array>): Effect.Effect<Chunk.Chunk<Uint8Array>, RequestFailure> =>
    Effect.suspend(() => {
      const taken: Array<Uint8Array> = []
      for (const bytes of chunk) {
        const fresh = bytes.subarray(Math.min(toSkip, bytes.length))
        toSkip -= bytes.length - fresh.length
        if (fresh.length > 0) taken.push(fresh)
      }
      const length = taken.reduce((sum, bytes) => sum + bytes.length, 0)
      if (part.size !== undefined && part.received + length > part.size) return exchange.failsWith(arrival, isOtherFile)
      part.received += length
      return Effect.succeed(Chunk.unsafeFromArray(taken))
    })

  const end = Effect.suspend(() =>
    part.size === undefined || part.received === part.size
      ? Effect.fail(Option.none<RequestFailure>())
      : Effect.fail(
          Option.some<RequestFailure>(
            classify.unanswered("truncated", context, `${part.received} of ${part.size} bytes arrived`)
          )
        )
  )

  const next = Effect.flatMap(monotonic.now, (now) =>
    within(sender.alarm, Effect.mapError(pull, Option.flatMap(failed)), () => now + limitMillis, timeout)
  ).pipe(
    Effect.flatMap((chunk) => Effect.mapError(take(chunk), Option.some)),
    Effect.catchAll((error) => (Option.isNone(error) ? end : Effect.fail(error)))
  )
  return Stream.repeatEffectChunkOption(next)
}

/** The content of the file, from where the last response broke off. */
export const contentOf = (
  download: Download,
  arrival: exchange.Arrival,
  promised: Promised = nothingPromised
): Effect.Effect<Bytes, RequestFailure> => {
  const { part } = download
  const { response } = arrival
  const { from, size } = placeOf(response)
  const isOther = differ(size, part.size) || differ(size, promised.size) || differ(promised.size, part.size)
  if (from === undefined || from > part.received || isOther || differ(etagOf(response), part.etag)) {
    return failsUnread(arrival, isOtherFile)
  }
  if (isHtml(response.headers["content-type"]) && promised.contentType !== undefined && !isHtml(promised.contentType)) {
    return failsUnread(arrival, `the response is a page, not the file of type ${promised.contentType}`)
  }
  if (!contentEncoding.isDecodable(response)) {
    return failsUnread(arrival, "the response has a content encoding that was not asked for and that is not supported")
  }
  if (isEncoded(response)) {
    // Sizes and offsets are of the encoded bytes.
    part.canResume = false
  } else {
    part.size ??= size ?? promised.size
    part.etag ??= etagOf(response)
  }
  const skipped = part.received - from
  return Effect.succeed(
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const { bytes, isByTransport } = yield* contentEncoding.open(response)
        if (isByTransport && wholeNumber(response.headers["content-length"]) === undefined) {
          return yield* exchange.failsWith(arrival, isUnverifiable)
        }
        return bytesFrom(download, arrival, yield* Stream.toPull(bytes), skipped)
      })
    )
  )
}

/** Storage has no bytes after those that have arrived: either they are all, or it cannot resume (RFC 9110, 15.5.17). */
export const onUnsatisfiableRange = (
  { part }: Download,
  arrival: exchange.Arrival
): Effect.Effect<Bytes, RequestFailure> => {
  const [, size] = /^bytes \*\/(\d+)$/.exec(arrival.response.headers["content-range"] ?? "") ?? []
  return Effect.zipRight(
    discard(arrival.response),
    Effect.suspend(() => {
      if (wholeNumber(size) === part.received) return Effect.succeed(Stream.empty)
      part.canResume = false
      return Effect.fail(classify.unanswered("truncated", arrival.context, "storage cannot resume the download"))
    })
  )
}
