/**
 * Validates a download response and streams its bytes.
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
import * as attempt from "../http/attempt.js"
import { withDeadline } from "../http/attemptTimeout.js"
import { openBody, type Read } from "../http/bodyReader.js"
import * as contentEncoding from "../http/contentEncoding.js"
import type { RequestSender } from "../http/requestSender.js"
import type { SharedTimer } from "../http/sharedTimer.js"
import type { TransportBody } from "../http/transportBody.js"
import { describeTransportError } from "../http/transportError.js"
import { transportBodyOf } from "../http/transports.js"
import { contentRange, type DownloadState, strongEtag, unsatisfiedSize } from "./downloadState.js"

/** @internal */
export type Bytes = Stream.Stream<Uint8Array, RequestFailure>

/** @internal State and HTTP clients shared by all requests of one download. */
export interface DownloadContext {
  readonly sender: RequestSender
  /** HTTP client that does not send the API key. */
  readonly storage: HttpClient.HttpClient
  readonly state: DownloadState
}

/** @internal File properties that the API declares in a download link. */
export interface ExpectedFile {
  readonly size: number | undefined
  readonly contentType: string | undefined
}

/** @internal */
export const unknownFile: ExpectedFile = { size: undefined, contentType: undefined }

/** @internal */
export const isHtml = (contentType: string | undefined): boolean => /^text\/html\b/i.test(contentType ?? "")

const unverifiableProblem =
  "the file is encoded and its size is unknown. Only undici and node:http can check whether such a file is complete"

const otherFileProblem = "the response contains another file, or another version of the file"

/** @internal Closes a response without reading its body. An unread body would keep the connection open. */
export const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(Stream.toPull(response.stream), Effect.ignore))

/** @internal */
export const discardAndFail = (
  received: attempt.ReceivedResponse,
  problem: string
): Effect.Effect<never, RequestFailure> =>
  Effect.zipRight(discard(received.response), attempt.failWithProblem(received, problem))

/**
 * Returns a function that removes the first `count` bytes of a response. Earlier responses of the download have already
 * delivered these bytes.
 */
const skipBytes = (count: number) => {
  let remaining = count
  return (chunk: Chunk.Chunk<Uint8Array>): ReadonlyArray<Uint8Array> => {
    const kept: Array<Uint8Array> = []
    for (const bytes of chunk) {
      const fresh = bytes.subarray(Math.min(remaining, bytes.length))
      remaining -= bytes.length - fresh.length
      if (fresh.length > 0) kept.push(fresh)
    }
    return kept
  }
}

/** The time limit of each read of a response body, and the functions that create the errors of a read. */
interface ReadLimits {
  readonly timer: SharedTimer
  readonly limitMillis: number
  readonly onBreak: (cause: unknown) => RequestFailure
  readonly onTimeout: () => RequestFailure
}

/** Streams the body of a transport that this library knows. Reads the body from the transport, one array at a time. */
const readTransport = (body: TransportBody, { limitMillis, onBreak, onTimeout, timer }: ReadLimits): Bytes => {
  const toEffect = (read: Read): Effect.Effect<Uint8Array, Option.Option<RequestFailure>> => {
    switch (read._tag) {
      case "Bytes":
        return Effect.succeed(read.bytes)
      case "End":
        return Effect.fail(Option.none())
      case "Break":
        return Effect.fail(Option.some(onBreak(read.cause)))
    }
  }
  const open = Effect.acquireRelease(
    Effect.sync(() => openBody(body)),
    (reader) => Effect.sync(reader.close)
  )
  return Stream.unwrapScoped(
    Effect.map(open, (reader) => {
      const failWithTimeout = () => Effect.fail(Option.some(onTimeout()))
      const read = Effect.flatMap(monotonic.now, (now) =>
        timer.wait<Uint8Array, Option.Option<RequestFailure>>(now + limitMillis, failWithTimeout, (resume) =>
          reader.next((result) => resume(toEffect(result)))
        )
      )
      return Stream.repeatEffectOption(read)
    })
  )
}

/** Streams the body of a transport that this library does not know. Reads the body from the stream of the platform. */
const readStream = (
  { stream }: HttpClientResponse.HttpClientResponse,
  { limitMillis, onBreak, onTimeout, timer }: ReadLimits
): Bytes => {
  const onError = (error: HttpClientError.ResponseError): Option.Option<RequestFailure> =>
    // The platform fails with `EmptyBody` if a response has no body. The download then succeeds, because a file can be
    // empty.
    error.reason === "EmptyBody" ? Option.none() : Option.some(onBreak(error.cause))
  return Stream.unwrapScoped(
    Effect.map(Stream.toPull(stream), (pull) => {
      const read = Effect.mapError(pull, Option.flatMap(onError))
      return Stream.repeatEffectChunkOption(
        Effect.flatMap(monotonic.now, (now) =>
          withDeadline(
            timer,
            read,
            () => now + limitMillis,
            () => Option.some(onTimeout())
          )
        )
      )
    })
  )
}

/** Streams the decoded body of a response. The attempt timeout applies to each read from the connection. */
const readBytes = ({ sender }: DownloadContext, { context, response }: attempt.ReceivedResponse): Bytes => {
  const onBreak = (cause: unknown) =>
    classify.transportError("truncated", context, describeTransportError({ reason: "Decode", cause }).text)
  const limits: ReadLimits = {
    timer: sender.timer,
    limitMillis: Duration.toMillis(sender.attemptLimits.duration),
    onBreak,
    onTimeout: () => classify.transportError("timeout", context, "no more bytes of the file arrived")
  }
  const transportBody = transportBodyOf(response)
  const body = transportBody === undefined ? readStream(response, limits) : readTransport(transportBody, limits)
  return contentEncoding.decodeBody(response, body, onBreak)
}

/**
 * Streams the bytes of a response without the first `skippedBytes` bytes. Checks the number of bytes if the size of the
 * file is known. Fails with `TransportError` after too few bytes, and with `UnexpectedResponse` after too many bytes.
 */
const streamBytes = (download: DownloadContext, received: attempt.ReceivedResponse, skippedBytes: number): Bytes => {
  const { state } = download
  const skip = skipBytes(skippedBytes)

  const onChunk = (chunk: Chunk.Chunk<Uint8Array>): Effect.Effect<Chunk.Chunk<Uint8Array>, RequestFailure> =>
    Effect.suspend(() => {
      const parts = skip(chunk)
      const length = parts.reduce((sum, bytes) => sum + bytes.length, 0)
      if (state.size !== undefined && state.receivedBytes + length > state.size) {
        return attempt.failWithProblem(received, otherFileProblem)
      }
      state.receivedBytes += length
      return Effect.succeed(Chunk.unsafeFromArray(parts))
    })

  const checkEnd = Effect.suspend(() =>
    state.size === undefined || state.receivedBytes === state.size
      ? Effect.void
      : Effect.fail(
          classify.transportError(
            "truncated",
            received.context,
            `${state.receivedBytes} of ${state.size} bytes arrived`
          )
        )
  )
  return Stream.concat(Stream.mapChunksEffect(readBytes(download, received), onChunk), Stream.execute(checkEnd))
}

const isMismatch = (a: string | number | undefined, b: string | number | undefined): boolean =>
  a !== undefined && b !== undefined && a !== b

/**
 * Accepts a response that contains the whole file or a range of the file. Streams only the bytes that are still
 * missing. Fails with `UnexpectedResponse` if the response belongs to another file or another version of the file.
 *
 * @internal
 */
export const acceptContent = (
  download: DownloadContext,
  received: attempt.ReceivedResponse,
  expected: ExpectedFile = unknownFile
): Effect.Effect<Bytes, RequestFailure> => {
  const { state } = download
  const { response } = received
  const isEncoded = contentEncoding.isEncoded(response.headers)
  // The range of an encoded response counts encoded bytes, but `receivedBytes` counts decoded bytes. Therefore the
  // range cannot be used.
  if (isEncoded && response.status === 206) return discardAndRestart(download, received)
  const { offset, size } = contentRange(response)
  const isOtherFile =
    isMismatch(size, state.size) ||
    isMismatch(size, expected.size) ||
    isMismatch(expected.size, state.size) ||
    isMismatch(strongEtag(response), state.etag)
  if (offset === undefined || offset > state.receivedBytes || isOtherFile) {
    return discardAndFail(received, otherFileProblem)
  }
  if (isHtml(response.headers["content-type"]) && expected.contentType !== undefined && !isHtml(expected.contentType)) {
    return discardAndFail(received, `the response is an HTML page instead of a file of type ${expected.contentType}`)
  }
  if (!contentEncoding.isDecodable(response)) {
    return discardAndFail(received, "the response has a content encoding that was not requested and is not supported")
  }
  if (isEncoded) {
    state.canResume = false
    state.size ??= expected.size ?? (response.headers["content-length"] === "0" ? 0 : undefined)
    if (state.size === undefined && contentEncoding.isDecodedByTransport(response)) {
      return discardAndFail(received, unverifiableProblem)
    }
  } else {
    state.size ??= size ?? expected.size
    state.etag ??= strongEtag(response)
  }
  return Effect.succeed(streamBytes(download, received, state.receivedBytes - offset))
}

/**
 * Closes a response and fails with a retryable `TransportError`. Disables range requests, so that the next attempt
 * requests the whole file.
 */
const discardAndRestart = (
  { state }: DownloadContext,
  { context, response }: attempt.ReceivedResponse
): Effect.Effect<never, RequestFailure> =>
  Effect.zipRight(
    discard(response),
    Effect.suspend(() => {
      state.canResume = false
      return Effect.fail(classify.transportError("truncated", context, "storage cannot resume the download"))
    })
  )

/**
 * Handles a 416 response to a range request. If all bytes of the file have been received, the download is complete.
 * Otherwise, fails with a retryable `TransportError`, and the next attempt requests the whole file. RFC 9110, 15.5.17.
 *
 * @internal
 */
export const acceptUnsatisfiableRange = (
  download: DownloadContext,
  received: attempt.ReceivedResponse
): Effect.Effect<Bytes, RequestFailure> =>
  unsatisfiedSize(received.response) === download.state.receivedBytes
    ? Effect.as(discard(received.response), Stream.empty)
    : discardAndRestart(download, received)
