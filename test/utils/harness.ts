/** Provides a client of the simulator in memory, and helpers for its tests. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

export const apiKey = "sk_canary0123456789abcdef_0badcafe"

export type Requirements =
  ModelRouteClient.ModelRouteClient | Simulator.Simulator | HttpClient.HttpClient | IdempotencyKey.IdempotencyKey

export interface Setup {
  readonly client?: Omit<ModelRouteClient.Options, "apiKey">
  readonly simulator?: Simulator.Options
  readonly keys?: Layer.Layer<IdempotencyKey.IdempotencyKey>
}

/** Provides a client and a simulator. The simulator has no rate limit by default. */
export const layer = (setup: Setup = {}): Layer.Layer<Requirements, ModelRouteError.InvalidRequest> =>
  ModelRouteClient.layer({ apiKey: Redacted.make(apiKey), ...setup.client }).pipe(
    Layer.provideMerge(
      Layer.merge(
        Simulator.layer({ rateLimit: false, ...setup.simulator }),
        setup.keys ?? IdempotencyKey.layerSequence("key")
      )
    )
  )

/** Time of the samples in the API documentation, 2026-03-20T10:30:00Z, in epoch milliseconds. */
export const start = Date.UTC(2026, 2, 20, 10, 30)

export const prompt = "a lighthouse in a storm, oil on canvas"

export const image = { model: "flux-1.1-pro", input: { prompt } }

/**
 * Runs an effect to its end on the test clock and returns its exit. `settle` waits for asynchronous work before each
 * advance of the clock. Default: no wait.
 */
export const runToEnd = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  settle: Effect.Effect<void> | 0 = 0
): Effect.Effect<Exit.Exit<A, E>, never, R> => Effect.exit(Simulator.adjustUntilDone(effect, { settle }))

/** Returns the arrival times of requests, in milliseconds after `start`. Default: the requests of all operations. */
export const arrivalTimes = (operation?: string): Effect.Effect<ReadonlyArray<number>, never, Simulator.Simulator> =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    Effect.map(simulator.requests, (requests) =>
      requests
        .filter((request) => operation === undefined || request.operation === operation)
        .map(({ at }) => at - start)
    )
  )

/** Disables logging. Do not use it in tests of log lines. */
export const silent = Logger.withMinimumLogLevel(LogLevel.None)

/** Formats a time as an HTTP date, in whole seconds. */
export const httpDate = (epochMillis: number): string =>
  DateTime.toDateUtc(DateTime.unsafeMake(epochMillis)).toUTCString()

/** Formats a time as an ISO 8601 string, like the JSON of the API. */
export const isoDate = (epochMillis: number): string => DateTime.formatIso(DateTime.unsafeMake(epochMillis))

/** Sets the clock to `start` and runs a function with the client. Disables logging. */
export const withClient = <A, E, R>(
  use: (client: ModelRouteClient.Service) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | ModelRouteClient.ModelRouteClient> =>
  Effect.zipRight(TestClock.setTime(start), Effect.flatMap(ModelRouteClient.ModelRouteClient, use)).pipe(silent)
