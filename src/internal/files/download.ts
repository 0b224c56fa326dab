/**
 * Downloads a file and resumes an interrupted download. The API responds with the bytes of the file, with a download
 * link in JSON, or with a redirect. Requests to storage do not contain the API key. JSON from storage is the content of
 * a file and is never decoded as a link.
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
import * as classify from "../errors/classify.js"
import { withSecrets } from "../errors/confidential.js"
import { isTransportFailure } from "../errors/semantics.js"
import * as attempt from "../http/attempt.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { retryLoop, waitForRetry } from "../http/retryLoop.js"
import { makeRetryDriver } from "../retry/retryDriver.js"
import type { CallStats } from "../telemetry.js"
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
import { isApiUrl, type InvalidTarget, resolveRedirect, resolveTarget, type Target } from "./redirect.js"

const maxRedirects = 5

/**
 * Returns `true` for a media type that the API uses for links and errors. A response with another media type, for
 * example `application/geo+json`, contains the bytes of a file.
 */
const isJson = (contentType: string | undefined): boolean =>
  /^(application|text)\/(problem\+)?json\s*(;|$)/i.test(contentType ?? "")

/**
 * Returns `true` if the `Content-Disposition` of a response is `attachment`. An attachment contains the bytes of a
 * file, even if its media type is JSON or HTML.
 */
const isAttachment = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  /^\s*attachment\b/i.test(headers["content-disposition"] ?? "")

const requestStorage = (
  download: DownloadContext,
  context: classify.ErrorContext,
  { secrets, url }: Target,
  expected: ExpectedFile,
  redirectsLeft: number
): Effect.Effect<Bytes, RequestFailure> => {
  const { sender, state, storage } = download
  const storageContext: classify.ErrorContext = {
    ...context,
    isStorage: true,
    confidential: withSecrets(context.confidential, secrets)
  }
  const request = HttpClientRequest.get(url, { headers: downloadHeaders(state, true) })
  return Effect.flatMap(attempt.sendRequest(storage, request, storageContext), (received) => {
    const { status } = received.response
    const redirect = resolveRedirect(sender, received, url)
    if (redirect !== undefined) return followRedirect(download, received, redirect, expected, redirectsLeft)
    if (status === 416 && state.receivedBytes > 0 && state.canResume)
      return acceptUnsatisfiableRange(download, received)
    return attempt.isSuccess(status) ? acceptContent(download, received, expected) : attempt.failWithResponse(received)
  })
}

const followRedirect = (
  download: DownloadContext,
  received: attempt.ReceivedResponse,
  redirect: Target | InvalidTarget,
  expected: ExpectedFile,
  redirectsLeft: number
): Effect.Effect<Bytes, RequestFailure> => {
  if ("problem" in redirect) return discardAndFail(received, redirect.problem)
  if (redirectsLeft === 0) return discardAndFail(received, "too many redirects")
  const { context, response } = received
  const { baseUrl, client } = download.sender
  const next =
    context.isStorage !== true && isApiUrl(baseUrl, redirect.url)
      ? Effect.flatMap(
          attempt.sendRequest(client, apiRequest(redirect.url.slice(baseUrl.length), download.state), context),
          (redirected) => acceptApiResponse(download, redirected, redirectsLeft - 1)
        )
      : requestStorage(download, context, redirect, expected, redirectsLeft - 1)
  return Effect.zipRight(discard(response), next)
}

const apiRequest = (path: string, state: DownloadState): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.setHeaders(requests.make("GET", path), downloadHeaders(state, state.isFromApi))

/**
 * Handles an API response that contains the bytes of a file, a download link, a redirect or an error. Treats JSON or
 * HTML as the bytes of a file only if the response is an attachment.
 */
const acceptApiResponse = (
  download: DownloadContext,
  received: attempt.ReceivedResponse,
  redirectsLeft = maxRedirects
): Effect.Effect<Bytes, RequestFailure> => {
  const { context, response } = received
  const { sender, state } = download
  const redirect = resolveRedirect(sender, received, response.request.url)
  if (redirect !== undefined) return followRedirect(download, received, redirect, unknownFile, redirectsLeft)
  if (!attempt.isSuccess(response.status)) return attempt.failWithResponse(received)
  const contentType = response.headers["content-type"]
  if (isAttachment(response) || !(isJson(contentType) || isHtml(contentType))) {
    state.isFromApi = true
    return acceptContent(download, received)
  }
  if (isHtml(contentType)) return discardAndFail(received, "the response is an HTML page instead of a file")
  const acceptLink = attempt.decodeJson("a valid download URL", (json) => {
    const link = decode.downloadLink(json)
    if (link === undefined) return undefined
    const target = resolveTarget(sender.baseUrl, Redacted.value(link.url))
    return "problem" in target ? undefined : { target, expected: { size: link.size, contentType: link.contentType } }
  })
  return Effect.flatMap(acceptLink(received), ({ expected, target }) =>
    requestStorage(download, context, target, expected, maxRedirects)
  )
}

/**
 * Requests the download link of a file after the API has responded with a redirect. A browser hides the target of a
 * redirect from the client.
 */
const requestLink = (
  download: DownloadContext,
  path: string,
  context: classify.ErrorContext
): Effect.Effect<Bytes, RequestFailure> =>
  Effect.flatMap(attempt.sendRequest(download.sender.client, requests.make("GET", path), context), (received) =>
    acceptApiResponse(download, received)
  )

/** @internal */
export const operation = "files.download"

/** @internal Returns a function that downloads a file. `storage` is an HTTP client that does not send the API key. */
export const make =
  (sender: RequestSender, storage: HttpClient.HttpClient) =>
  (id: FileId, stats: CallStats): Bytes =>
    Stream.unwrap(
      Effect.map(requests.encodeSegment(operation, "id", id), (segment) => {
        const state = initialState()
        const download: DownloadContext = { sender, storage, state }
        const nextCall = (): attempt.Call<Bytes> => ({
          operation,
          request: apiRequest(`/v1/files/${segment}/download`, state),
          decode: (received) =>
            classify.isHiddenRedirect(received.response.status)
              ? requestLink(download, `/v1/files/${segment}/url`, received.context)
              : acceptApiResponse(download, received),
          isRepeatable: true,
          fileId: id
        })
        const driver = makeRetryDriver(sender)
        const resume = (error: RequestFailure): Bytes =>
          // If the connection broke after the last byte, the download is complete and needs no further request. A response
          // with more bytes contains another file.
          state.receivedBytes === state.size && isTransportFailure(error)
            ? Stream.empty
            : Stream.concat(Stream.execute(waitForRetry(sender, nextCall(), error, driver, stats)), missingBytes)
        const missingBytes: Bytes = Stream.unwrap(
          Effect.suspend(() =>
            Effect.map(retryLoop(sender, nextCall(), stats, driver), (bytes) => Stream.catchAll(bytes, resume))
          )
        )
        return missingBytes
      })
    )
