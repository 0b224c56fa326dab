/**
 * Downloads a file in each documented way: the bytes themselves, JSON with a link, or a redirect. Only the API's own host is asked with
 * the API key, and only its JSON is a link. A download that breaks off is resumed.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { FileId } from "../../File.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as classify from "../errors/classify.js"
import { secretsOfUrl, withSecrets } from "../errors/redact.js"
import * as exchange from "../http/attempt.js"
import * as requests from "../http/requests.js"
import { granted, patient, send, type Sender } from "../http/retryLoop.js"
import type { Account } from "../telemetry.js"
import * as decode from "./decode.js"
import {
  type Bytes,
  type Promised,
  nothingPromised,
  isHtml,
  discard,
  failsUnread,
  type Download,
  contentOf,
  onUnsatisfiableRange
} from "./downloadBody.js"
import { type Part, downloadHeaders } from "./downloadState.js"
import { redirectOf, isAllowed, isApiUrl } from "./redirect.js"

const redirectLimit = 5

/** The type of the API's own JSON: `application/geo+json` is a stored file. */
const isJson = (contentType: string | undefined): boolean =>
  /^(application|text)\/(problem\+)?json\s*(;|$)/i.test(contentType ?? "")

/** The API says that the body is a stored file, whatever its type. */
const isAttachment = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  /^\s*attachment\b/i.test(headers["content-disposition"] ?? "")

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
