/**
 * Uploads: ask for a URL, put the bytes there, confirm. Storage is not the API: it gets the bytes and nothing else of ours.
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
import { isRecord, present } from "../data/lenient.js"
import * as monotonic from "../data/monotonic.js"
import * as classify from "../errors/classify.js"
import { invalid } from "../errors/invalidRequest.js"
import { privateTextsOf, secretsOfUrl } from "../errors/redact.js"
import { isAbsent, isConflict, isStorageRejection } from "../errors/semantics.js"
import * as exchange from "../http/attempt.js"
import { unlessFirst } from "../http/attemptTimeout.js"
import { withLength } from "../http/contentLength.js"
import * as requests from "../http/requests.js"
import { send, type Sender } from "../http/retryLoop.js"
import { bypass } from "../rateLimit/admission.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import type { Account } from "../telemetry.js"
import * as decode from "./decode.js"
import { isAllowedLink } from "./redirect.js"
import type { UploadOptions } from "./types.js"
import { BytesSent, callerLogLevel } from "./uploadBody.js"
import { operation, check } from "./uploadChecks.js"

/** Where to put the bytes, until when (monotonic milliseconds). */
interface Link {
  readonly fileId: File.FileId
  readonly url: string
  readonly until: number | undefined
}

const linkCall = (sender: Sender, source: File.Source<unknown>, options: UploadOptions): exchange.Call<Link> => {
  const { legacy, purpose = "INPUT", region, ttlDays } = options
  const filename = legacy && (legacy.filename ?? source.name)
  const body =
    legacy === undefined
      ? present({ purpose, region, ttl_days: ttlDays })
      : { filename, content_type: legacy.contentType, size_bytes: source.size }
  return {
    operation,
    request: requests.make("POST", "/v1/files/upload", { body: JSON.stringify(body) }),
    accept: exchange.json("an upload URL", (json, { received, response }) => {
      const link = decode.uploadLink(json)
      if (link === undefined || !isAllowedLink(sender, link.url)) return undefined
      const { expiresAt, fileId, url } = link
      const until =
        expiresAt &&
        expiresAt.epochMillis - (serverTime(response.headers, received.wall) ?? received.wall) + received.monotonic
      return { fileId, url, until }
    }),
    // Another link costs nothing: only the bytes make it a file.
    repeatable: true,
    confidential: { privateTexts: privateTextsOf(filename) }
  }
}

const putCall = <E>(link: Link, bytes: BytesSent<E>, size: number, contentType: string): exchange.Call<void> => ({
  operation,
  request: HttpClientRequest.put(link.url).pipe(
    HttpClientRequest.setBody(HttpBody.stream(bytes.stream, contentType, size)),
    // The platform omits a length of zero.
    HttpClientRequest.setHeader("content-length", String(size))
  ),
  accept: (arrival) => {
    if (!exchange.isSuccess(arrival.response.status)) return exchange.reject(arrival)
    return Effect.flatMap(exchange.readWhole(arrival), () =>
      bytes.isComplete
        ? Effect.void
        : Effect.fail(classify.incomplete(arrival.context, `it took ${bytes.sent} of ${size} bytes`))
    )
  },
  repeatable: true,
  storage: true,
  fileId: link.fileId,
  confidential: { secrets: secretsOfUrl(link.url) }
})

/** Storage answers an expired URL like a wrong one; only its words, or the time, tell them apart. */
const isExpired = (link: Link, error: unknown): Effect.Effect<boolean> =>
  Effect.map(monotonic.now, (now) => {
    if (!isModelRouteError(error) || !isStorageRejection(error)) return false
    return /expired/i.test(error.body) || (link.until !== undefined && now >= link.until)
  })

const confirmCall = (fileId: File.FileId, size: number): exchange.Call<unknown> => ({
  operation,
  request: requests.make("POST", "/v1/files/confirm", { body: JSON.stringify({ file_id: fileId }) }),
  accept: (arrival) =>
    Effect.flatMap(exchange.anything(arrival), ({ json }) => {
      const stored = isRecord(json) ? json["size_bytes"] : undefined
      return typeof stored !== "number" || stored === size
        ? Effect.void
        : exchange.failsWith(arrival, `storage holds ${stored} of the ${size} bytes`)
    }),
  repeatable: true,
  fileId
})

const confirmUpload = (
  sender: Sender,
  fileId: File.FileId,
  size: number,
  { confirm, legacy }: UploadOptions,
  account: Account
): Effect.Effect<void, RequestFailure> => {
  const wanted = confirm ?? legacy === undefined
  if (wanted === false) return Effect.void
  return Effect.suspend(() => {
    const before = account.attempts
    return send(sender, confirmCall(fileId, size), account).pipe(
      Effect.asVoid,
      Effect.catchIf(
        // An earlier attempt, whose response was lost, has confirmed it; or there is nothing to confirm.
        (error) => (isConflict(error) && account.attempts - before > 1) || (wanted === "optional" && isAbsent(error)),
        () => Effect.void
      )
    )
  })
}

const miscounted =
  (account: Account) =>
  (found: string, runs: number): InvalidRequest => {
    const [problem, cure] =
      runs > 1
        ? [`has ${found} when it is run again`, "Give a stream that can be run anew."]
        : [`has ${found}`, "Give the size of what its stream holds."]
    return invalid(operation, "source", problem, cure, present({ attempts: account.attempts, fileId: account.fileId }))
  }

/** @internal `storage` is the client without the API key. */
export const make =
  (sender: Sender, storage: HttpClient.HttpClient) =>
  <E>(
    source: File.Source<E>,
    options: UploadOptions,
    account: Account
  ): Effect.Effect<File.FileId, UploadFailure | E> =>
    Effect.gen(function* () {
      yield* check(source, options)
      const { size } = source
      const bytes = new BytesSent({
        source,
        onProgress: options.onProgress ?? (() => Effect.void),
        miscounted: miscounted(account),
        logLevel: yield* callerLogLevel
      })
      const { duration } = sender.limits
      const toStorage: Sender = {
        ...sender,
        client: yield* withLength(storage, size),
        admission: Effect.succeed(bypass),
        limits: { duration, within: bytes.limit(sender.alarm, Duration.toMillis(duration)) }
      }

      const link = Effect.tap(send(sender, linkCall(sender, source, options), account), ({ fileId }) => {
        account.fileId = fileId
      })
      const transfer = (to: Link) =>
        unlessFirst(send(toStorage, putCall(to, bytes, size, options.legacy?.contentType ?? ""), account), bytes.listen)

      const first = yield* link
      const { fileId } = yield* Effect.as(transfer(first), first).pipe(
        Effect.catchAll((error) =>
          Effect.flatMap(isExpired(first, error), (expired) =>
            expired ? Effect.tap(link, transfer) : Effect.fail(error)
          )
        )
      )
      yield* confirmUpload(sender, fileId, size, options, account)
      return fileId
    })
