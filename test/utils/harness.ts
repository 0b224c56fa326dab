/** Provides a client of the simulator in memory, and helpers for its tests. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
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
 * Runs an effect to its end and advances the clock to each sleep of a fiber. After each step, `waitForRealTime` waits
 * for work outside the test clock, for example WebCrypto. Dies if the effect does not end within `limit`.
 */
export const runToEnd = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  limit: Duration.DurationInput = "1 day",
  waitForRealTime: Effect.Effect<void> = Effect.void
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    const clock = yield* Effect.clock
    const startedAt = clock.unsafeCurrentTimeMillis()
    for (;;) {
      // An adjustment by 0 runs every fiber to its next sleep.
      yield* TestClock.adjust(0)
      yield* waitForRealTime
      const done = yield* Fiber.poll(fiber)
      if (done._tag === "Some") return done.value
      const sleeps = yield* TestClock.sleeps()
      const next = Math.min(...sleeps)
      if (next - startedAt > Duration.toMillis(limit)) {
        yield* Fiber.interrupt(fiber)
        return yield* Effect.dieMessage("the effect did not end within its limit")
      }
      yield* TestClock.setTime(next)
    }
  })

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
