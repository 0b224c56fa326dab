/** Runs tests with the HTTP clients of the platform: fetch, undici and node:http. */
import { NodeContext, NodeHttpClient } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { apiKey, silent } from "./harness.js"
import { isFull } from "./suite.js"

export const transports: Readonly<Record<string, Layer.Layer<HttpClient.HttpClient>>> = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layer
}

/** Default retry policy with delays of 1 ms. */
const retry = RetryPolicy.make({ backoff: { base: "1 millis" }, rateLimit: { minDelay: "1 millis" } })

/** Returns a client of a local server. */
export const makeClientAt = (baseUrl: string, options: Partial<ModelRouteClient.Options> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey), baseUrl, retry, ...options }).pipe(
    Effect.provide(IdempotencyKey.layerSequence("key"))
  )

type Run = <A, E>(
  title: string,
  effect: Effect.Effect<A, E, HttpClient.HttpClient | FileSystem.FileSystem | Scope.Scope>
) => void

interface Test extends Run {
  /** Registers a test that runs only in the full suite. */
  readonly full: Run
}

/** Returns the number of the transport for a test in the quick suite. */
const transportOf = (title: string): number =>
  Array.from(title).reduce((sum, char) => sum + char.charCodeAt(0), 0) % Object.keys(transports).length

/**
 * Registers the same tests for each transport, on the real clock. The quick suite runs each test with only one of the
 * transports.
 */
export const overEachTransport = (tests: (test: Test, name: string) => void): void => {
  for (const [index, [name, transport]] of Object.entries(transports).entries()) {
    const layer = Layer.merge(transport, NodeContext.layer)
    const run =
      (isQuick: boolean): Run =>
      (title, effect) =>
        it.scopedLive.runIf(isFull || (isQuick && transportOf(title) === index))(title, () =>
          silent(effect).pipe(Effect.provide(layer))
        )
    describe(`client over ${name}`, () => tests(Object.assign(run(true), { full: run(false) }), name))
  }
}
