/** Batches of creates against a server of which only the rate limit matters, in virtual time. */
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
import { run } from "./virtualTime.js"

const accepted = JSON.stringify({ id: "exec_1", status: "PENDING" })
const refused = JSON.stringify({ error: { code: "RATE_LIMITED", message: "Too many requests", retryable: true } })

/** The way to the server: each request takes the time there that the server has drawn for it, and the way back. */
export const httpClient = (server: LimitedServer): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.gen(function* () {
      const exchange = server.request(yield* Clock.currentTimeMillis, request.method)
      yield* Effect.sleep(exchange.handledAt - exchange.sentAt)
      const answer = exchange.answer()
      yield* Effect.sleep(exchange.receivedAt - exchange.handledAt)
      const body = answer.refused ? refused : accepted
      const headers = {
        "content-type": "application/json",
        "content-length": String(body.length),
        ...answer.headers
      }
      return HttpClientResponse.fromWeb(request, new Response(body, { status: answer.refused ? 429 : 202, headers }))
    })
  )

export const clientOf = (server: LimitedServer, options: Omit<ModelRouteClient.Options, "apiKey"> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey), ...options }).pipe(
    Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, httpClient(server)), IdempotencyKey.layer))
  )

/** So many creates by one client, so many at once. */
export const batch = (client: ModelRouteClient.Service, requests: number, concurrency: number) =>
  Effect.forEach(Array.from({ length: requests }), () => client.executions.create(image), {
    concurrency,
    discard: true
  })

/** Runs to the end in virtual time, and gives the moment at which it ended. */
export const endOf = <A, E>(effect: Effect.Effect<A, E>, start: number): Effect.Effect<number> =>
  run(silent(Effect.zipRight(effect, Clock.currentTimeMillis)), start).pipe(Effect.map(valueOf))
