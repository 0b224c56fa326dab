/**
 * Uploads a file. Requests an upload URL, sends the bytes to storage, and confirms the upload. Sends no API headers to
 * storage.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as File from "../../File.js"
import {
  type InvalidRequest,
  isModelRouteError,
  type RequestFailure,
  type UploadFailure
} from "../../ModelRouteError.js"
import { isRecord, omitUndefined } from "../data/lenient.js"
import * as monotonic from "../data/monotonic.js"
import { runCallback } from "../errors/callback.js"
import * as classify from "../errors/classify.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { privateTextsOf } from "../errors/confidential.js"
import { isAbsent, isConflict, isStorageRejection } from "../errors/semantics.js"
import * as attempt from "../http/attempt.js"
import { runInChild } from "../http/childFiber.js"
import { withContentLength } from "../http/contentLength.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { retryLoop } from "../http/retryLoop.js"
import { losesEarlyResponses } from "../http/transports.js"
import { bypass } from "../rateLimit/admission.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import type { CallStats } from "../telemetry.js"
import * as decode from "./decode.js"
import { withRejectionProbe } from "./earlyRejection.js"
import { resolveTarget, type Target } from "./redirect.js"
import type { UploadOptions } from "./types.js"
import { callerLogLevel, UploadBody } from "./uploadBody.js"
import { checkUpload, uploadOperation } from "./uploadChecks.js"

interface UploadLink {
  readonly fileId: File.FileId
  readonly target: Target
  /**
   * The time at which the upload URL expires, in monotonic milliseconds. `undefined` if the API has not declared an
   * expiry.
   */
  readonly expiresAt: number | undefined
  /** Indicates whether the transport can lose a rejection that storage sends before it has read the whole body. */
  readonly losesEarlyResponses: boolean
}

const linkCall = (
  sender: RequestSender,
  source: File.Source<unknown>,
  options: UploadOptions
): attempt.Call<UploadLink> => {
  const { legacy, purpose = "INPUT", region, ttlDays } = options
  const filename = legacy && (legacy.filename ?? source.name)
  const body =
    legacy === undefined
      ? omitUndefined({ purpose, region, ttl_days: ttlDays })
      : { filename, content_type: legacy.contentType, size_bytes: source.size }
  return {
    operation: uploadOperation,
    request: requests.make("POST", "/v1/files/upload", { body: JSON.stringify(body) }),
    decode: attempt.decodeJson("a valid upload URL", (json, { receivedAt, response }) => {
      const link = decode.uploadLink(json)
      if (link === undefined) return undefined
      const target = resolveTarget(sender.baseUrl, link.url)
      if ("problem" in target) return undefined
      const sentAt = serverTime(response.headers, receivedAt.wall) ?? receivedAt.wall
      const expiresAt = link.expiresAt && link.expiresAt.epochMillis - sentAt + receivedAt.monotonic
      return { fileId: link.fileId, target, expiresAt, losesEarlyResponses: losesEarlyResponses(response) }
    }),
    // A repeated request for an upload URL is safe, because a file exists only after its bytes have arrived.
    isRepeatable: true,
    confidential: { privateTexts: privateTextsOf(filename) }
  }
}

const putCall = <E>(link: UploadLink, body: UploadBody<E>, size: number, contentType: string): attempt.Call<void> => ({
  operation: uploadOperation,
  request: HttpClientRequest.put(link.target.url).pipe(
    HttpClientRequest.setBody(HttpBody.stream(body.stream, contentType, size)),
    // The platform omits a `Content-Length` of zero, so this header is set explicitly.
    HttpClientRequest.setHeader("content-length", String(size))
  ),
  decode: (received) => {
    if (!attempt.isSuccess(received.response.status)) return attempt.failWithResponse(received)
    return Effect.flatMap(attempt.readWholeBody(received), () =>
      body.isComplete
        ? Effect.void
        : Effect.fail(classify.incompleteUpload(received.context, `${body.sentBytes} of ${size} bytes were sent`))
    )
  },
  isRepeatable: true,
  isStorage: true,
  fileId: link.fileId,
  confidential: { secrets: link.target.secrets }
})

/**
 * Returns `true` if storage rejected the upload because the upload URL has expired. Storage uses the same status for
 * expired URLs and invalid URLs. Therefore the text of the rejection or the expiry time of the URL must confirm the
 * expiry.
 */
const isExpired = (link: UploadLink, error: unknown): Effect.Effect<boolean> =>
  Effect.map(monotonic.now, (now) => {
    if (!isModelRouteError(error) || !isStorageRejection(error)) return false
    return /expired/i.test(error.body) || (link.expiresAt !== undefined && now >= link.expiresAt)
  })

const confirmCall = (fileId: File.FileId, size: number): attempt.Call<unknown> => ({
  operation: uploadOperation,
  request: requests.make("POST", "/v1/files/confirm", { body: JSON.stringify({ file_id: fileId }) }),
  decode: (received) =>
    Effect.flatMap(attempt.decodeAny(received), ({ json }) => {
      const stored = isRecord(json) ? json["size_bytes"] : undefined
      return typeof stored !== "number" || stored === size
        ? Effect.void
        : attempt.failWithProblem(received, `the stored file has ${stored} bytes instead of ${size}`)
    }),
  isRepeatable: true,
  fileId
})

const confirmUpload = (
  sender: RequestSender,
  fileId: File.FileId,
  size: number,
  { confirm, legacy }: UploadOptions,
  stats: CallStats
): Effect.Effect<void, RequestFailure> => {
  const mode = confirm ?? legacy === undefined
  if (mode === false) return Effect.void
  return Effect.suspend(() => {
    const attemptsBefore = stats.attempts
    return retryLoop(sender, confirmCall(fileId, size), stats).pipe(
      Effect.asVoid,
      Effect.catchIf(
        // A 409 after a retry shows that an earlier attempt has already confirmed the upload. With `"optional"`, the
        // confirmation endpoint may not exist.
        (error) =>
          (isConflict(error) && stats.attempts - attemptsBefore > 1) || (mode === "optional" && isAbsent(error)),
        () => Effect.void
      )
    )
  })
}

const makeSizeError =
  (stats: CallStats) =>
  (found: string, runs: number): InvalidRequest => {
    const [problem, advice] =
      runs > 1
        ? [`has ${found} when it is run again`, "Pass a stream that can be run again."]
        : [`has ${found}`, "Pass the number of bytes in the stream."]
    return invalidRequest(
      uploadOperation,
      "source",
      problem,
      advice,
      omitUndefined({ attempts: stats.attempts, fileId: stats.fileId })
    )
  }

const reportProgress =
  ({ onProgress }: UploadOptions, stats: CallStats) =>
  (progress: File.Progress): Effect.Effect<void, InvalidRequest> =>
    onProgress === undefined
      ? Effect.void
      : Effect.suspend(() => {
          const sent = omitUndefined({ attempts: stats.attempts, fileId: stats.fileId })
          return runCallback(uploadOperation, "onProgress", () => onProgress(progress), sent)
        })

/** @internal Returns a function that uploads a file. `storage` is an HTTP client that does not send the API key. */
export const make =
  (sender: RequestSender, storage: HttpClient.HttpClient) =>
  <E>(
    source: File.Source<E>,
    options: UploadOptions,
    stats: CallStats
  ): Effect.Effect<File.FileId, UploadFailure | E> =>
    Effect.gen(function* () {
      yield* checkUpload(source, options)
      const { size } = source
      const body = new UploadBody({
        source,
        onProgress: reportProgress(options, stats),
        makeSizeError: makeSizeError(stats),
        logLevel: yield* callerLogLevel
      })
      const { duration } = sender.attemptLimits
      const millis = Duration.toMillis(duration)
      let losesRejection = false
      const storageSender: RequestSender = {
        ...sender,
        client: withRejectionProbe(
          yield* withContentLength(storage, size, body.onCollected),
          sender.timer,
          millis,
          () => losesRejection && body.isPartlySent()
        ),
        admissionOf: () => bypass,
        attemptLimits: { duration, withTimeout: body.timeLimit(sender.timer, millis) }
      }

      const requestLink = Effect.tap(retryLoop(sender, linkCall(sender, source, options), stats), (link) => {
        stats.fileId = link.fileId
        losesRejection = link.losesEarlyResponses
      })
      const sendBytes = (link: UploadLink) =>
        runInChild(
          retryLoop(storageSender, putCall(link, body, size, options.legacy?.contentType ?? ""), stats),
          body.onSourceFailure
        )

      const link = yield* requestLink
      const { fileId } = yield* Effect.as(sendBytes(link), link).pipe(
        Effect.catchAll((error) =>
          Effect.flatMap(isExpired(link, error), (expired) =>
            expired ? Effect.tap(requestLink, sendBytes) : Effect.fail(error)
          )
        )
      )
      yield* confirmUpload(sender, fileId, size, options, stats)
      return fileId
    })
