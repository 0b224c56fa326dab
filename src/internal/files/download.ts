/**
 * Downloads a file in each documented way: as bytes, through JSON with a link, or through redirects. Only requests to the API
 * carry the API key, and only JSON from the API counts as a link. An interrupted download is resumed.
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
  acceptContent,
  acceptUnsatisfiableRange,
  type Bytes,
  discard,
  discardAndFail,
  type DownloadContext,
  type ExpectedFile,
  isHtml,
  unknownFile
} from "./downloadBody.js"
import { downloadHeaders, type DownloadState, initialState } from "./downloadState.js"
import { isAllowedUrl, isApiUrl, type Redirect, resolveRedirect } from "./redirect.js"

const maxRedirects = 5

/** Recognizes the types of the API's own JSON. `application/geo+json`, for example, is a stored file. */
const isJson = (contentType: string | undefined): boolean =>
  /^(application|text)\/(problem\+)?json\s*(;|$)/i.test(contentType ?? "")

/** Returns whether the API marks the body as a stored file, of whichever type. */
const isAttachment = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  /^\s*attachment\b/i.test(headers["content-disposition"] ?? "")

const requestStorage = (
  download: DownloadContext,
  context: classify.Context,
  url: string,
  expected: ExpectedFile,
  redirectsLeft: number
): Effect.Effect<Bytes, RequestFailure> => {
  const { sender, state, storage } = download
  const storageContext: classify.Context = {
    ...context,
    storage: true,
    confidential: withSecrets(context.confidential, secretsOfUrl(url))
  }
  const request = HttpClientRequest.get(url, { headers: downloadHeaders(state, true) })
  return Effect.flatMap(exchange.arrivalOf(storage, request, storageContext), (arrival) => {
    const { status } = arrival.response
    const redirect = resolveRedirect(sender, arrival, url)
    if (redirect !== undefined) return followRedirect(download, arrival, redirect, expected, redirectsLeft)
    if (status === 416 && state.receivedBytes > 0 && state.canResume) return acceptUnsatisfiableRange(download, arrival)
    return exchange.isSuccess(status) ? acceptContent(download, arrival, expected) : exchange.reject(arrival)
  })
}

const followRedirect = (
  download: DownloadContext,
  arrival: exchange.Arrival,
  redirect: Redirect,
  expected: ExpectedFile,
  redirectsLeft: number
): Effect.Effect<Bytes, RequestFailure> => {
  if ("problem" in redirect) return discardAndFail(arrival, redirect.problem)
  if (redirectsLeft === 0) return discardAndFail(arrival, "too many redirects")
  const { context, response } = arrival
  const { baseUrl, client } = download.sender
  const next =
    context.storage !== true && isApiUrl(baseUrl, redirect.url)
      ? Effect.flatMap(
          exchange.arrivalOf(client, apiRequest(redirect.url.slice(baseUrl.length), download.state), context),
          (redirected) => acceptApiResponse(download, redirected, redirectsLeft - 1)
        )
      : requestStorage(download, context, redirect.url, expected, redirectsLeft - 1)
  return Effect.zipRight(discard(response), next)
}

const apiRequest = (path: string, state: DownloadState): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.setHeaders(requests.make("GET", path), downloadHeaders(state, state.isFromApi))

/** Accepts the file, a link to it, or an error. JSON is the file only if the API marks it as an attachment. */
const acceptApiResponse = (
  download: DownloadContext,
  arrival: exchange.Arrival,
  redirectsLeft = maxRedirects
): Effect.Effect<Bytes, RequestFailure> => {
  const { context, response } = arrival
  const { sender, state } = download
  const redirect = resolveRedirect(sender, arrival, response.request.url)
  if (redirect !== undefined) return followRedirect(download, arrival, redirect, unknownFile, redirectsLeft)
  if (!exchange.isSuccess(response.status)) return exchange.reject(arrival)
  const contentType = response.headers["content-type"]
  if (isAttachment(response) || !(isJson(contentType) || isHtml(contentType))) {
    state.isFromApi = true
    return acceptContent(download, arrival)
  }
  if (isHtml(contentType)) return discardAndFail(arrival, "the response is a page, not a file")
  const acceptLink = exchange.json("a download URL", (json) => {
    const link = decode.downloadLink(json)
    return link !== undefined && isAllowedUrl(sender.baseUrl, Redacted.value(link.url)) ? link : undefined
  })
  return Effect.flatMap(acceptLink(arrival), ({ contentType, size, url }) =>
    requestStorage(download, context, Redacted.value(url), { size, contentType }, maxRedirects)
  )
}

/** @internal */
export const operation = "files.download"

/** @internal `storage` is the HTTP client without the API key. */
export const make =
  (sender: Sender, storage: HttpClient.HttpClient) =>
  (id: FileId, account: Account): Bytes =>
    Stream.unwrap(
      Effect.map(requests.segment(operation, "id", id), (segment) => {
        const state = initialState()
        const download: DownloadContext = { sender, storage, state }
        const nextCall = (): exchange.Call<Bytes> => ({
          operation,
          request: apiRequest(`/v1/files/${segment}/download`, state),
          accept: (arrival) => acceptApiResponse(download, arrival),
          repeatable: true,
          fileId: id
        })
        const patience = patient(sender)
        const resume = (error: RequestFailure): Bytes =>
          // The download is complete if the connection broke after the last byte.
          state.receivedBytes === state.size
            ? Stream.empty
            : Stream.concat(Stream.execute(granted(sender, nextCall(), error, patience)), missingBytes)
        const missingBytes: Bytes = Stream.unwrap(
          Effect.suspend(() =>
            Effect.map(send(sender, nextCall(), account, patience), (bytes) => Stream.catchAll(bytes, resume))
          )
        )
        return missingBytes
      })
    )
