/** Provides a client with a fake transport, for responses that the simulator never sends. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { apiKey } from "./harness.js"
import { monotonicMillis } from "./settableClock.js"

export interface FakeResponse {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly json?: unknown
  readonly text?: string
  readonly bytes?: Uint8Array<ArrayBuffer>
  /** Stream of chunks that replaces `json`, `text` and `bytes`. */
  readonly body?: Stream.Stream<Uint8Array>
}

const toResponse = (
  { body: stream, bytes, headers, json, status, text }: FakeResponse,
  runtime: Runtime.Runtime<never>
): Response => {
  const body =
    stream !== undefined
      ? Stream.toReadableStreamRuntime(stream, runtime)
      : (bytes ?? (json === undefined ? (text ?? "") : JSON.stringify(json)))
  const contentType: Record<string, string> = json === undefined ? {} : { "content-type": "application/json" }
  return new Response([204, 205, 304].includes(status) ? null : body, {
    status,
    headers: { ...contentType, ...headers }
  })
}

/**
 * Returns a client and the requests that it has sent, in order. `respond` receives the number of the request, from 1.
 * `at` contains the request times in milliseconds of the monotonic clock.
 */
export const makeFakeClient = (
  respond: (url: string, n: number, headers: Readonly<Record<string, string>>) => FakeResponse,
  options: Partial<ModelRouteClient.Options> = {}
) => {
  const methods: Array<string> = []
  const urls: Array<string> = []
  const bodies: Array<string> = []
  const headers: Array<Readonly<Record<string, string>>> = []
  const at: Array<number> = []
  const http = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      at.push(yield* monotonicMillis)
      methods.push(request.method)
      urls.push(url.href)
      headers.push(request.headers)
      const n = bodies.push(request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "")
      if (request.body._tag === "Stream") {
        yield* Stream.runForEach(request.body.stream, (bytes) =>
          Effect.sync(() => {
            bodies[n - 1] += new TextDecoder("latin1").decode(bytes)
          })
        ).pipe(Effect.mapError((cause) => new HttpClientError.RequestError({ request, reason: "Transport", cause })))
      }
      return HttpClientResponse.fromWeb(request, toResponse(respond(url.href, n, request.headers), runtime))
    })
  )
  const client = ModelRouteClient.make({ apiKey: Redacted.make(apiKey), ...options }).pipe(
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
  )
  return { at, bodies, client, headers, methods, urls }
}
