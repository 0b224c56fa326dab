/** A client whose transport answers by a function: for what the simulator would never say. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { apiKey } from "./harness.js"

export interface Reply {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly json?: unknown
  readonly text?: string
  readonly bytes?: Uint8Array<ArrayBuffer>
  /** In place of the others: chunks that come when they come. */
  readonly body?: Stream.Stream<Uint8Array>
}

const responseOf = (
  { body: stream, bytes, headers, json, status, text }: Reply,
  runtime: Runtime.Runtime<never>
): Response => {
  const body =
    stream !== undefined
      ? Stream.toReadableStreamRuntime(stream, runtime)
      : (bytes ?? (json === undefined ? (text ?? "") : JSON.stringify(json)))
  const type: Record<string, string> = json === undefined ? {} : { "content-type": "application/json" }
  return new Response([204, 205, 304].includes(status) ? null : body, { status, headers: { ...type, ...headers } })
}

/** What was asked, in order, and the client that asks. */
export const answering = (
  reply: (url: string, n: number) => Reply,
  options: Partial<ModelRouteClient.Options> = {}
) => {
  const urls: Array<string> = []
  const bodies: Array<string> = []
  const headers: Array<Readonly<Record<string, string>>> = []
  const at: Array<number> = []
  const http = HttpClient.make((request, url) =>
    Effect.map(Effect.all([Clock.currentTimeMillis, Effect.runtime<never>()]), ([now, runtime]) => {
      at.push(now)
      urls.push(url.href)
      headers.push(request.headers)
      bodies.push(request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "")
      return HttpClientResponse.fromWeb(request, responseOf(reply(url.href, urls.length), runtime))
    })
  )
  const client = ModelRouteClient.make({ apiKey: Redacted.make(apiKey), ...options }).pipe(
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
  )
  return { at, bodies, client, headers, urls }
}
