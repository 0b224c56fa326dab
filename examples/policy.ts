/**
 * Composes retry policies. A policy is a `Schedule` over the errors of the library, and accepts all combinators of
 * `Schedule`. Prints the arrival times of the requests at a simulator for each policy. The simulator rejects requests
 * to cause retries.
 *
 *     npx tsx examples/policy.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Effect, Layer, Redacted, Schedule } from "effect"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

/** Sets the backoff and the rate limit options. Waits for the rate limit do not count against `times`. */
const persistent = RetryPolicy.make({
  backoff: { base: "50 millis", cap: "400 millis", times: 8, jitter: "full" },
  rateLimit: { maxWait: "10 minutes" }
})

/** Waits exactly 50, 100, 200, 200 … milliseconds. */
const exact = RetryPolicy.backoff({ base: "50 millis", cap: "200 millis", times: 20 })

/** Retries at most twice. */
const atMostTwo = exact.pipe(Schedule.intersect(Schedule.recurs(2)))

/** Stops half a second after the first failure. */
const halfASecond = exact.pipe(Schedule.upTo("500 millis"))

/** Fails immediately if the model is overloaded. The caller can then select another model. */
const notWhenOverloaded = exact.pipe(
  Schedule.whileInput((error: ModelRouteError.ModelRouteError) => error._tag !== "ModelOverloaded")
)

/** Retries twice after 20 ms, then three times after 300 ms. */
const quickThenSlow = RetryPolicy.backoff({ base: "20 millis", cap: "20 millis", times: 2 }).pipe(
  Schedule.andThen(RetryPolicy.backoff({ base: "300 millis", cap: "300 millis", times: 3 }))
)

const create = Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
  executions.create({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } })
)

/** Runs an effect with a new client and simulator. Prints the outcome and the arrival times of the requests. */
const show = (
  title: string,
  retry: RetryPolicy.RetryPolicy,
  effect: Effect.Effect<unknown, ModelRouteError.ModelRouteError, ModelRouteClient.ModelRouteClient> = create,
  faults: ReadonlyArray<Simulator.Fault.Fault> = [Fault.times(Infinity, Fault.apiError("MODEL_OVERLOADED"))]
) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const startedAt = yield* Clock.currentTimeMillis
    const outcome = yield* Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "success" })
    const arrivals = (yield* simulator.requests).map(({ at }) => at - startedAt)
    yield* Console.log(`${title.padEnd(34)} ${outcome.padEnd(16)} ${arrivals.join(", ")} ms`)
  }).pipe(
    Effect.provide(
      ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated"), retry }).pipe(
        Layer.provideMerge(Simulator.layer({ faults })),
        Layer.provide(IdempotencyKey.layer)
      )
    )
  )

const main = Effect.gen(function* () {
  yield* show("make: exact delays, 4 retries", RetryPolicy.make({ backoff: { base: "50 millis", times: 4 } }))
  yield* show("make: full jitter, 8 retries", persistent)
  yield* show("intersect(recurs(2))", atMostTwo)
  yield* show("upTo(500 millis)", halfASecond)
  yield* show("whileInput: not when overloaded", notWhenOverloaded)
  yield* show("andThen: quick, then slow", quickThenSlow)
  yield* show("withPolicy(none) for one effect", persistent, create.pipe(RetryPolicy.withPolicy(RetryPolicy.none)))
  yield* show("make: a reset, then a fault", persistent, create, [
    Fault.apiError("RATE_LIMITED", { resetIn: "1 second" }),
    Fault.apiError("MODEL_OVERLOADED")
  ])
})

NodeRuntime.runMain(main)
