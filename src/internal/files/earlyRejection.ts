/**
 * Detects a rejection that storage sends before it has read the whole upload. The platform client for node:http returns
 * a response only after it has sent the whole body. If storage closes the connection after an early rejection, the
 * attempt fails without a response. `fetch` and undici return an early response immediately, so they need no detection.
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

/**
 * Maximum duration of a probe, which is a request without its body. A short timeout is sufficient, because storage
 * rejects an invalid URL before it reads a body.
 */
const maxProbeMillis = 5000

/**
 * Returns a request without its body but with the `Content-Length` of the body. The request closes its connection,
 * because a connection cannot be reused after an incomplete body.
 */
const withoutBytes = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
  const { contentLength, contentType = "" } = request.body
  return HttpClientRequest.setBody(request, HttpBody.stream(Stream.empty, contentType, contentLength)).pipe(
    HttpClientRequest.setHeader("connection", "close")
  )
}

/**
 * Returns a client that sends a probe before the repetition of an interrupted upload. A probe is the request without
 * its body. If storage rejects the probe, the attempt returns this rejection and does not send the body. Otherwise, the
 * attempt sends the whole body. Storage does not create a file from a probe, because its body is incomplete.
 *
 * @internal
 */
export const withRejectionProbe = (
  client: HttpClient.HttpClient,
  timer: SharedTimer,
  attemptMillis: number,
  /** Returns `true` if the transport can have lost a response, because it sent only a part of the body. */
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
