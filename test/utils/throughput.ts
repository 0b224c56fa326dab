/** Measures the throughput of clients at a server with a rate limit, in virtual time. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { valueOf } from "./exit.js"
import { apiKey, image, silent } from "./harness.js"
import type { LimitedServer } from "./limitedServer.js"
import { runInVirtualTime } from "./virtualTime.js"

const acceptedBody = JSON.stringify({ id: "exec_1", status: "PENDING" })
const rejectedBody = JSON.stringify({ error: { code: "RATE_LIMITED", message: "Too many requests", retryable: true } })

/** Returns an HTTP client of the server. Each request takes the round trip that the server draws. */
export const makeHttpClient = (server: LimitedServer): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.gen(function* () {
      const exchange = server.request(yield* Clock.currentTimeMillis, request.method)
      yield* Effect.sleep(exchange.handledAt - exchange.sentAt)
      const response = exchange.respond()
      yield* Effect.sleep(exchange.receivedAt - exchange.handledAt)
      const body = response.isRejected ? rejectedBody : acceptedBody
      const headers = {
        "content-type": "application/json",
        "content-length": String(body.length),
        ...response.headers
      }
      const status = response.isRejected ? 429 : 202
      return HttpClientResponse.fromWeb(request, new Response(body, { status, headers }))
    })
  )

export const makeClient = (server: LimitedServer, options: Omit<ModelRouteClient.Options, "apiKey"> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey), ...options }).pipe(
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, makeHttpClient(server)), IdempotencyKey.layer))
  )

export const createMany = (client: ModelRouteClient.Service, requests: number, concurrency: number) =>
  Effect.forEach(Array.from({ length: requests }), () => client.executions.create(image), {
    concurrency,
    discard: true
  })

/** Runs an effect in virtual time. Returns the time of its end, in epoch milliseconds. */
export const measureEnd = <A, E>(effect: Effect.Effect<A, E>, start: number): Effect.Effect<number> =>
  runInVirtualTime(silent(Effect.zipRight(effect, Clock.currentTimeMillis)), start).pipe(Effect.map(valueOf))
