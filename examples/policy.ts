/**
 * A retry policy is a `Schedule` over the library's errors: set in the client's options, composed with `Schedule`'s own
 * combinators, or given to one effect. For each, the moments at which requests arrive at a simulator that refuses them all.
 *
 *     npx tsx examples/policy.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Effect, Layer, Redacted, Schedule } from "effect"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

/** The usual two sides, each with options of its own. Waits for the rate limit use up no retry of the backoff. */
const patient = RetryPolicy.make({
  backoff: { base: "50 millis", cap: "400 millis", times: 8, jitter: "full" },
  rateLimit: { maxWait: "10 minutes" }
})

/** Exact waits: 50, 100, 200 … milliseconds. */
const exact = RetryPolicy.backoff({ base: "50 millis", cap: "200 millis", times: 20 })

/** At most two retries, whatever the policy itself allows. */
const atMostTwo = exact.pipe(Schedule.intersect(Schedule.recurs(2)))

/** Once half a second has passed since the first failure, no further retry is decided on. */
const halfASecond = exact.pipe(Schedule.upTo("500 millis"))

/** Gives up at once where waiting is not worth it, for example because another model will do. */
const notWhenOverloaded = exact.pipe(
  Schedule.whileInput((error: ModelRouteError.ModelRouteError) => error._tag !== "ModelOverloaded")
)

/** Two quick retries, then three slow ones. */
const quickThenSlow = RetryPolicy.backoff({ base: "20 millis", cap: "20 millis", times: 2 }).pipe(
  Schedule.andThen(RetryPolicy.backoff({ base: "300 millis", cap: "300 millis", times: 3 }))
)

const create = Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
  executions.create({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } })
)

/** Runs an effect with a client and a simulator of its own, and prints when requests arrived and how it ended. */
const show = (
  title: string,
  retry: RetryPolicy.RetryPolicy,
  effect: Effect.Effect<unknown, ModelRouteError.ModelRouteError, ModelRouteClient.ModelRouteClient> = create,
  faults: ReadonlyArray<Simulator.Fault.Fault> = Fault.times(100, Fault.envelope("MODEL_OVERLOADED"))
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
  yield* show("make: exact waits, 4 retries", RetryPolicy.make({ backoff: { base: "50 millis", times: 4 } }))
  yield* show("make: full jitter, 8 retries", patient)
  yield* show("intersect(recurs(2))", atMostTwo)
  yield* show("upTo(500 millis)", halfASecond)
  yield* show("whileInput: not when overloaded", notWhenOverloaded)
  yield* show("andThen: quick, then slow", quickThenSlow)
  yield* show("withPolicy(none) for one effect", patient, create.pipe(RetryPolicy.withPolicy(RetryPolicy.none)))
  yield* show("make: a reset, then a fault", patient, create, [
    Fault.rateLimited({ resetIn: "1 second" }),
    Fault.envelope("MODEL_OVERLOADED")
  ])
})

NodeRuntime.runMain(main)
