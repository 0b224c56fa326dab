/** A client over the simulator in memory, and what the tests ask of it. */
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

/** Without a rate limit of its own unless the test sets one. */
export const layer = (setup: Setup = {}): Layer.Layer<Requirements, ModelRouteError.InvalidRequest> =>
  ModelRouteClient.layer({ apiKey: Redacted.make(apiKey), ...setup.client }).pipe(
    Layer.provideMerge(
      Layer.merge(
        Simulator.layer({ rateLimit: false, ...setup.simulator }),
        setup.keys ?? IdempotencyKey.layerSequence("key")
      )
    )
  )

/** 2026-03-20T10:30:00Z, the API pages' own afternoon. */
export const start = Date.UTC(2026, 2, 20, 10, 30)

export const prompt = "a lighthouse in a storm, oil on canvas"

export const image = { model: "flux-1.1-pro", input: { prompt } }

/**
 * Runs an effect to its end, moving the clock from one moment at which something is due to the next. What takes real time, as
 * WebCrypto does, `settled` waits for.
 */
export const runToEnd = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  limit: Duration.DurationInput = "1 day",
  settled: Effect.Effect<void> = Effect.void
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    const began = yield* Effect.clock
    const from = began.unsafeCurrentTimeMillis()
    for (;;) {
      // Adjusting by nothing lets every fiber come to its next sleep.
      yield* TestClock.adjust(0)
      yield* settled
      const done = yield* Fiber.poll(fiber)
      if (done._tag === "Some") return done.value
      const sleeps = yield* TestClock.sleeps()
      const next = Math.min(...sleeps)
      if (next - from > Duration.toMillis(limit)) {
        yield* Fiber.interrupt(fiber)
        return yield* Effect.dieMessage("the effect did not end within its limit")
      }
      yield* TestClock.setTime(next)
    }
  })

/** When each request of an operation arrived, in milliseconds after `start`. */
export const arrivalTimes = (operation?: string): Effect.Effect<ReadonlyArray<number>, never, Simulator.Simulator> =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    Effect.map(simulator.requests, (requests) =>
      requests
        .filter((request) => operation === undefined || request.operation === operation)
        .map(({ at }) => at - start)
    )
  )

/** The waits' log lines are tested where they are the matter. */
export const silent = Logger.withMinimumLogLevel(LogLevel.None)

/** A moment as HTTP headers write it, in whole seconds. */
export const httpDate = (epochMillis: number): string =>
  DateTime.toDateUtc(DateTime.unsafeMake(epochMillis)).toUTCString()

/** A moment as the API's JSON has it. */
export const isoDate = (epochMillis: number): string => DateTime.formatIso(DateTime.unsafeMake(epochMillis))

/** At `start`, with the client at hand. */
export const withClient = <A, E, R>(
  use: (client: ModelRouteClient.Service) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | ModelRouteClient.ModelRouteClient> =>
  Effect.zipRight(TestClock.setTime(start), Effect.flatMap(ModelRouteClient.ModelRouteClient, use)).pipe(silent)
