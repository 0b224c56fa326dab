/**
 * Downloads a file in each documented way: the bytes themselves, JSON with a link, or a redirect. Only the API's own host is asked with
 * the API key, and only its JSON is a link. A download that breaks off is resumed.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { FileId } from "../../File.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { granted, patient, send, type Sender } from "../http/retryLoop.js"
import { declaredLength } from "../http/responseBody.js"
import * as classify from "../errors/classify.js"
import * as contentEncoding from "../http/contentEncoding.js"
import * as decode from "./decode.js"
import * as exchange from "../http/attempt.js"
import * as monotonic from "../data/monotonic.js"
import { secretsOfUrl, withSecrets } from "../errors/redact.js"
import * as requests from "../http/requests.js"
import type { Account } from "../telemetry.js"
import { within } from "../http/attemptTimeout.js"
import { diagnose } from "../http/transportError.js"

type Bytes = Stream.Stream<Uint8Array, RequestFailure>

const redirectLimit = 5

/** How much of a file has arrived, and of which version of it. */
interface Part {
  received: number
  size: number | undefined
  /** Only a strong one: a weak one does not promise the same bytes. */
  etag: string | undefined
  /** Whether a request can ask for the rest alone. */
  canResume: boolean
  /** Whether the API itself has sent the bytes, not a link to them. */
  isFromApi: boolean
}

/** What the API has said of the file that a link leads to. */
interface Promised {
  readonly size: number | undefined
  readonly contentType: string | undefined
}

const nothingPromised: Promised = { size: undefined, contentType: undefined }

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

const isEncoded = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  headers["content-encoding"] !== undefined

/** Sent back in `If-Range`, so it must be a valid header. */
const etagOf = (response: HttpClientResponse.HttpClientResponse): string | undefined => {
  const etag = response.headers["etag"]
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) && !isEncoded(response) ? etag : undefined
}

// RFC 9110, 14.2 and 13.1.5. A stored file is never encoded on the way: its size and its parts would be others.
const downloadHeaders = (
  { canResume, etag, received }: Part,
  isForBytes: boolean
): { readonly [name: string]: string } => ({
  "accept-encoding": "identity",
  ...(received === 0 || !canResume || !isForBytes
    ? {}
    : { range: `bytes=${received}-`, ...(etag === undefined ? {} : { "if-range": etag }) })
})

/** Where a response begins in the file, and how large the file is. */
const placeOf = (
  response: HttpClientResponse.HttpClientResponse
): { readonly from: number | undefined; readonly size: number | undefined } => {
  if (response.status !== 206) return { from: 0, size: declaredLength(response.headers) }
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "") ?? []
  return { from: wholeNumber(from), size: wholeNumber(size) }
}

const differ = (a: string | number | undefined, b: string | number | undefined): boolean =>
  a !== undefined && b !== undefined && a !== b

const isHtml = (contentType: string | undefined): boolean => /^text\/html\b/i.test(contentType ?? "")

/** The type of the API's own JSON: `application/geo+json` is a stored file. */
const isJson = (contentType: string | undefined): boolean =>
  /^(application|text)\/(problem\+)?json\s*(;|$)/i.test(contentType ?? "")

/** The API says that the body is a stored file, whatever its type. */
const isAttachment = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  /^\s*attachment\b/i.test(headers["content-disposition"] ?? "")

const isUnverifiable =
  "the file is encoded without a Content-Length, so fetch cannot tell whether it is complete; undici and node:http can"

const isOtherFile = "the response is not the file, or not the version that has arrived so far"

/** Ends the response without reading it: an unread body would keep its connection. */
const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(Stream.toPull(response.stream), Effect.ignore))

const failsUnread = (arrival: exchange.Arrival, problem: string): Effect.Effect<never, RequestFailure> =>
  Effect.zipRight(discard(arrival.response), exchange.failsWith(arrival, problem))

/** What all requests of one download share. */
interface Download {
  readonly sender: Sender
  /** Without the API key. */
  readonly storage: HttpClient.HttpClient
  readonly part: Part
}

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

/** The bytes as they arrive; each chunk has the time limit of an attempt. */
const bytesFrom = ({ part, sender }: Download, arrival: exchange.Arrival, pull: Pull, skipped: number): Bytes => {
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
const contentOf = (
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
const onUnsatisfiableRange = ({ part }: Download, arrival: exchange.Arrival): Effect.Effect<Bytes, RequestFailure> => {
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

/** Where a redirect leads, or why it is not followed. */
const redirectOf = (
  { baseUrl }: Sender,
  { response }: exchange.Arrival,
  from: string
): { readonly url: string } | { readonly problem: string } | undefined => {
  if (response.status < 300 || response.status >= 400) return undefined
  const location = response.headers["location"]
  if (location === undefined || !URL.canParse(location, from)) return { problem: "the redirect leads nowhere" }
  const { href } = new URL(location, from)
  return isAllowed(baseUrl, href) ? { url: href } : { problem: "the redirect does not lead to an https URL" }
}

/** `https`, or the scheme of the base URL: a link must not lead into the backend's own network by another protocol. */
const isAllowed = (baseUrl: string, url: string): boolean => {
  const { protocol } = new URL(url)
  return protocol === "https:" || protocol === new URL(baseUrl).protocol
}

/** @internal Whether the API may point to this URL for an upload or a download. */
export const isAllowedLink = ({ baseUrl }: Sender, url: string): boolean => isAllowed(baseUrl, url)

const isApiUrl = (baseUrl: string, url: string): boolean => url.startsWith(`${baseUrl}/v1/`)

const followStorage = (
  download: Download,
  context: classify.Context,
  url: string,
  promised: Promised,
  hops: number
): Effect.Effect<Bytes, RequestFailure> => {
  const { part, sender, storage } = download
  const elsewhere: classify.Context = {
    ...context,
    storage: true,
    confidential: withSecrets(context.confidential, secretsOfUrl(url))
  }
  const request = HttpClientRequest.get(url, { headers: downloadHeaders(part, true) })
  return Effect.flatMap(exchange.arrivalOf(storage, request, elsewhere), (arrival) => {
    const { status } = arrival.response
    const redirect = redirectOf(sender, arrival, url)
    if (redirect !== undefined) return followRedirect(download, arrival, redirect, promised, hops)
    if (status === 416 && part.received > 0 && part.canResume) return onUnsatisfiableRange(download, arrival)
    return exchange.isSuccess(status) ? contentOf(download, arrival, promised) : exchange.reject(arrival)
  })
}

const followRedirect = (
  download: Download,
  arrival: exchange.Arrival,
  redirect: { readonly url: string } | { readonly problem: string },
  promised: Promised,
  hops: number
): Effect.Effect<Bytes, RequestFailure> => {
  if ("problem" in redirect) return failsUnread(arrival, redirect.problem)
  if (hops === 0) return failsUnread(arrival, "too many redirects")
  const { context, response } = arrival
  const { baseUrl, client } = download.sender
  const followed =
    context.storage !== true && isApiUrl(baseUrl, redirect.url)
      ? Effect.flatMap(
          exchange.arrivalOf(client, apiRequest(redirect.url.slice(baseUrl.length), download.part), context),
          (next) => acceptApi(download, next, hops - 1)
        )
      : followStorage(download, context, redirect.url, promised, hops - 1)
  return Effect.zipRight(discard(response), followed)
}

const apiRequest = (path: string, part: Part): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.setHeaders(requests.make("GET", path), downloadHeaders(part, part.isFromApi))

/** What the API's host answers: the file, a link to it, or an error. Its JSON is the file only if the API says so. */
const acceptApi = (
  download: Download,
  arrival: exchange.Arrival,
  hops = redirectLimit
): Effect.Effect<Bytes, RequestFailure> => {
  const { context, response } = arrival
  const { sender } = download
  const redirect = redirectOf(sender, arrival, response.request.url)
  if (redirect !== undefined) return followRedirect(download, arrival, redirect, nothingPromised, hops)
  if (!exchange.isSuccess(response.status)) return exchange.reject(arrival)
  const contentType = response.headers["content-type"]
  if (isAttachment(response) || !(isJson(contentType) || isHtml(contentType))) {
    download.part.isFromApi = true
    return contentOf(download, arrival)
  }
  if (isHtml(contentType)) return failsUnread(arrival, "the response is a page, not a file")
  const link = exchange.json("a download URL", (json) => {
    const found = decode.downloadLink(json)
    return found !== undefined && isAllowed(sender.baseUrl, Redacted.value(found.url)) ? found : undefined
  })
  return Effect.flatMap(link(arrival), (found) =>
    followStorage(
      download,
      context,
      Redacted.value(found.url),
      { size: found.size, contentType: found.contentType },
      redirectLimit
    )
  )
}

/** @internal */
export const operation = "files.download"

/** @internal `storage` is the client without the API key. */
export const make =
  (sender: Sender, storage: HttpClient.HttpClient) =>
  (id: FileId, account: Account): Bytes =>
    Stream.unwrap(
      Effect.map(requests.segment(operation, "id", id), (segment) => {
        const part: Part = { received: 0, size: undefined, etag: undefined, canResume: true, isFromApi: false }
        const download: Download = { sender, storage, part }
        const call = (): exchange.Call<Bytes> => ({
          operation,
          request: apiRequest(`/v1/files/${segment}/download`, part),
          accept: (arrival) => acceptApi(download, arrival),
          repeatable: true,
          fileId: id
        })
        const patience = patient(sender)
        const resumed = (error: RequestFailure): Bytes =>
          // Nothing is missing: the connection broke after the last byte.
          part.received === part.size
            ? Stream.empty
            : Stream.concat(Stream.execute(granted(sender, call(), error, patience)), rest)
        const rest: Bytes = Stream.unwrap(
          Effect.suspend(() =>
            Effect.map(send(sender, call(), account, patience), (bytes) => Stream.catchAll(bytes, resumed))
          )
        )
        return rest
      })
    )
