/**
 * Finds the rejection of an upload that node:http does not report. The platform's client for node:http returns a response only
 * after it has sent the whole body. An early response ends the sending, so the attempt times out or its connection breaks, and the
 * response is lost. `fetch` and undici return the response at once.
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

/** A rejection of the URL needs no bytes, so it arrives soon. */
const maxProbeMillis = 5000

/** The same request without a byte of its body. Its connection cannot be used again, because the body is incomplete. */
const withoutBytes = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
  const { contentLength, contentType = "" } = request.body
  return HttpClientRequest.setBody(request, HttpBody.stream(Stream.empty, contentType, contentLength)).pipe(
    HttpClientRequest.setHeader("connection", "close")
  )
}

/**
 * Makes the attempt after an interrupted upload start with a request without bytes. If storage rejects that request, its response
 * is the response of the attempt. Storage never stores the request, because the declared bytes are missing.
 *
 * @internal
 */
export const withRejectionProbe = (
  client: HttpClient.HttpClient,
  timer: SharedTimer,
  attemptMillis: number,
  /** Whether a response can be lost, because the transport has taken some of the bytes, but not all. */
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
