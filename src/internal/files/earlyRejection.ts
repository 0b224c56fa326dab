/**
 * Detects storage rejections that node:http does not report. The platform client for node:http returns a response only
 * after it has sent the whole body. An early rejection stops the upload, and the attempt fails without a response.
 * `fetch` and undici return an early response immediately.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as monotonic from "../data/monotonic.js"
import { withDeadline } from "../http/attemptTimeout.js"
import type { SharedTimer } from "../http/sharedTimer.js"

/** A short timeout is sufficient, because storage rejects an invalid URL before it reads the body. */
const maxProbeMillis = 5000

/**
 * Returns the request with an empty body and its original length. The connection is closed, because the body is
 * incomplete.
 */
const withoutBytes = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
  const { contentLength, contentType = "" } = request.body
  return HttpClientRequest.setBody(request, HttpBody.stream(Stream.empty, contentType, contentLength)).pipe(
    HttpClientRequest.setHeader("connection", "close")
  )
}

/**
 * Returns a client that sends a probe without bytes after an interrupted attempt. If storage rejects the probe, the
 * attempt returns this rejection. Otherwise the attempt sends all bytes. Storage does not store the probe, because its
 * body is incomplete.
 *
 * @internal
 */
export const withRejectionProbe = (
  client: HttpClient.HttpClient,
  timer: SharedTimer,
  attemptMillis: number,
  /** Returns `true` if the transport can have lost the response to an incomplete upload. */
  canLoseResponse: () => boolean
): HttpClient.HttpClient => {
  let wasInterrupted = false
  const probe = (
    request: HttpClientRequest.HttpClientRequest
  ): Effect.Effect<Option.Option<HttpClientResponse.HttpClientResponse>> =>
    Effect.flatMap(monotonic.now, (now) =>
      withDeadline(
        timer,
        client.execute(withoutBytes(request)),
        () => now + Math.min(maxProbeMillis, attemptMillis / 2),
        () => "no response"
      )
    ).pipe(Effect.option, Effect.map(Option.filter(({ status }) => status >= 400)))
  return HttpClient.transform(client, (execute, request) => {
    const sendBytes = Effect.onExit(execute, (exit) =>
      Effect.sync(() => {
        wasInterrupted = Exit.isFailure(exit) && canLoseResponse()
      })
    )
    return Effect.suspend(() => {
      if (!wasInterrupted) return sendBytes
      wasInterrupted = false
      return Effect.flatMap(probe(request), Option.match({ onNone: () => sendBytes, onSome: Effect.succeed }))
    })
  })
}
