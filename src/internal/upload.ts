/**
 * Uploads: ask for a URL, put the bytes there, confirm. Storage is not the API: it gets the bytes and nothing else of ours.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as File from "../File.js"
import type { UploadOptions } from "../ModelRouteClient.js"
import {
  FileTooLarge,
  type InvalidRequest,
  isModelRouteError,
  type RequestFailure,
  type UploadFailure
} from "../ModelRouteError.js"
import { BytesSent } from "./bytesSent.js"
import { send, type Sender } from "./call.js"
import * as decode from "./decode.js"
import * as exchange from "./exchange.js"
import { free } from "./gate/passage.js"
import { invalid } from "./invalid.js"
import { privateTextsOf, secretsOfUrl } from "./redact.js"
import { serverTime } from "./limitHeaders.js"
import * as requests from "./requests.js"
import { withLength } from "./sizedFetch.js"
import type { Account } from "./telemetry.js"
import { present } from "./tolerant.js"

const operation = "files.upload"

const MiB = 1024 * 1024
const defaultMaxSize = 150 * MiB

/** Where to put the bytes, until when (epoch milliseconds, local clock). */
interface Link {
  readonly fileId: File.FileId
  readonly url: string
  readonly until: number | undefined
}

const checked = (
  source: File.Source<unknown>,
  { maxSize = defaultMaxSize, older, ttlDays }: UploadOptions
): Effect.Effect<void, FileTooLarge | InvalidRequest> => {
  const { size } = source
  if (!Number.isSafeInteger(size) || size < 0) {
    return Effect.fail(
      invalid(operation, "size", "is not a number of bytes", "Give the length of the source in bytes.")
    )
  }
  if (ttlDays !== undefined && !(Number.isInteger(ttlDays) && ttlDays >= 1 && ttlDays <= 365)) {
    return Effect.fail(invalid(operation, "ttlDays", "is not a number of days", "Give a whole number from 1 to 365."))
  }
  if (older !== undefined && !/^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/.test(older.contentType)) {
    return Effect.fail(invalid(operation, "older.contentType", "is not a MIME type", "Give one such as image/png."))
  }
  if (older !== undefined && (older.filename ?? source.name ?? "") === "") {
    return Effect.fail(invalid(operation, "older.filename", "is missing", "Name the file, such as fox.png."))
  }
  return size > maxSize
    ? Effect.fail(
        new FileTooLarge({
          operation,
          attempts: 0,
          size,
          limit: maxSize,
          message: `${operation}: the file has ${size} bytes, and the limit is ${maxSize}. Nothing was sent. Make it smaller, or raise maxSize if your account allows more.`
        })
      )
    : Effect.void
}

const asked = (source: File.Source<unknown>, options: UploadOptions): exchange.Call<Link> => {
  const { older, purpose = "INPUT", region, ttlDays } = options
  const filename = older && (older.filename ?? source.name)
  const body =
    older === undefined
      ? present({ purpose, region, ttl_days: ttlDays })
      : { filename, content_type: older.contentType, size_bytes: source.size }
  return {
    operation,
    request: requests.make("POST", "/v1/files/upload", { body: JSON.stringify(body) }),
    accept: exchange.json("an upload URL", (json, { receivedAt, response }) => {
      const link = decode.uploadLink(json)
      if (link === undefined) return undefined
      const { expiresAt, fileId, url } = link
      const until =
        expiresAt && expiresAt.epochMillis - (serverTime(response.headers, receivedAt) ?? receivedAt) + receivedAt
      return { fileId, url, until }
    }),
    // One more link costs nothing: it is the bytes that make a file of it.
    repeatable: true,
    confidential: { privateTexts: privateTextsOf(filename) }
  }
}

const put = <E>(link: Link, bytes: BytesSent<E>, size: number, contentType: string): exchange.Call<void> => ({
  operation,
  request: HttpClientRequest.put(link.url).pipe(
    HttpClientRequest.setBody(HttpBody.stream(bytes.stream, contentType, size)),
    // The platform leaves a length of nothing out.
    HttpClientRequest.setHeader("content-length", String(size))
  ),
  accept: (arrival) =>
    exchange.isSuccess(arrival.response.status) ? Effect.asVoid(exchange.readWhole(arrival)) : exchange.reject(arrival),
  repeatable: true,
  storage: true,
  confidential: { secrets: secretsOfUrl(link.url) }
})

/** Storage answers an expired URL as it answers a wrong one; only its words, or the time, tell them apart. */
const isExpired = (link: Link, error: unknown): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    if (!isModelRouteError(error) || error._tag !== "UnexpectedResponse") return false
    if (error.status < 400 || error.status >= 500) return false
    return /expired/i.test(error.body) || (link.until !== undefined && now >= link.until)
  })

const confirmed = (fileId: File.FileId): exchange.Call<unknown> => ({
  operation,
  request: requests.make("POST", "/v1/files/confirm", { body: JSON.stringify({ file_id: fileId }) }),
  accept: exchange.anything,
  repeatable: true
})

const confirming = (sender: Sender, fileId: File.FileId, { confirm, older }: UploadOptions, account: Account) => {
  const wanted = confirm ?? older === undefined
  if (wanted === false) return Effect.void
  const confirmation = send(sender, confirmed(fileId), account)
  return wanted === "ifThere" ? Effect.catchIf(confirmation, isAbsent, () => Effect.void) : confirmation
}

const isAbsent = (error: RequestFailure): boolean => "status" in error && (error.status === 404 || error.status === 405)

/** @internal `storage` is the client without the API key. */
export const make =
  (sender: Sender, storage: HttpClient.HttpClient) =>
  <E>(
    source: File.Source<E>,
    options: UploadOptions,
    account: Account
  ): Effect.Effect<File.FileId, UploadFailure | E> =>
    Effect.gen(function* () {
      yield* checked(source, options)
      const broken = yield* Deferred.make<never, E | InvalidRequest>()
      const bytes = new BytesSent(source, account, options.onProgress ?? (() => Effect.void), broken)
      const { duration } = sender.limits
      const toStorage: Sender = {
        ...sender,
        client: yield* withLength(storage, source.size),
        passage: free,
        limits: { duration, within: bytes.limit(Duration.toMillis(duration)) }
      }

      const link = Effect.tap(send(sender, asked(source, options), account), ({ fileId }) => {
        account.fileId = fileId
      })
      // What is wrong with the source is no affair of the policy's.
      const transferred = (to: Link) =>
        Effect.raceFirst(
          send(toStorage, put(to, bytes, source.size, options.older?.contentType ?? ""), account),
          Deferred.await(broken)
        )

      const first = yield* link
      const { fileId } = yield* Effect.as(transferred(first), first).pipe(
        Effect.catchAll((error) =>
          Effect.flatMap(isExpired(first, error), (expired) =>
            expired ? Effect.tap(link, transferred) : Effect.fail(error)
          )
        )
      )
      yield* confirming(sender, fileId, options, account)
      return fileId
    })
