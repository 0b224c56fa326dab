/** The HTTP clients that users have: fetch, undici and node:http. */
import { NodeHttpClient } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { apiKey, silent } from "./harness.js"

export const transports: Readonly<Record<string, Layer.Layer<HttpClient.HttpClient>>> = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layer
}

/** The usual retries, without their delays. */
const retry = RetryPolicy.make({ backoff: { base: "1 millis" }, rateLimit: { minimum: "1 millis" } })

/** A client of a server on this machine. */
export const clientAt = (baseUrl: string, options: Partial<ModelRouteClient.Options> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey), baseUrl, retry, ...options }).pipe(
    Effect.provide(IdempotencyKey.layerSequence("key"))
  )

type Test = <A, E>(title: string, effect: Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) => void

/** The same tests over each transport, on the real clock. */
export const overEachTransport = (tests: (test: Test, name: string) => void): void => {
  for (const [name, transport] of Object.entries(transports)) {
    describe(name, () => {
      tests((title, effect) => it.scopedLive(title, () => silent(effect).pipe(Effect.provide(transport))), name)
    })
  }
}
