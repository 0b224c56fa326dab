/**
 * Runs an effect under `TestClock`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"

/**
 * Options of `adjustUntilDone`.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdjustOptions {
  /** Maximum time by which the `TestClock` advances. Default: 1 day. */
  readonly limit?: Duration.DurationInput | undefined
  /**
   * Duration of the wait before each advance of the `TestClock`, in real time. Asynchronous work can finish during this
   * wait. If the work takes longer than the wait, the clock may advance before the work has finished. To prevent this,
   * pass an effect that waits for the end of the work. Default: 10 milliseconds.
   */
  readonly settle?: Duration.DurationInput | Effect.Effect<void> | undefined
}

/** Waits for asynchronous work. If `settle` is a duration, the wait ends early when `fiber` has ended. */
const waitForRealWork = (
  fiber: Fiber.Fiber<unknown, unknown>,
  settle: Duration.DurationInput | Effect.Effect<void>
): Effect.Effect<void> => {
  if (Effect.isEffect(settle)) return Effect.zipRight(settle, TestClock.adjust(0))
  return Duration.toMillis(settle) === 0
    ? Effect.void
    : Effect.asVoid(Effect.raceFirst(Fiber.await(fiber), TestServices.provideLive(Effect.sleep(settle))))
}

/** Advances the `TestClock` to the end of each sleep of any fiber, until `fiber` has ended. */
const advanceUntilDone = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  { limit = "1 day", settle = "10 millis" }: AdjustOptions
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const endAt = clock.unsafeCurrentTimeMillis() + Duration.toMillis(limit)
    for (;;) {
      // `TestClock.adjust(0)` runs every fiber until its next sleep.
      yield* TestClock.adjust(0)
      yield* waitForRealWork(fiber, settle)
      if (fiber.unsafePoll() !== null) return
      const next = Math.min(...(yield* TestClock.sleeps()))
      // If no fiber sleeps, the effect waits only for work in real time. The clock need not advance.
      if (next === Infinity) continue
      if (next > endAt) {
        return yield* Effect.dieMessage(`The effect did not end within ${Duration.format(limit)} on the TestClock`)
      }
      yield* TestClock.setTime(next)
    }
  })

/**
 * Runs an effect to its end and advances `TestClock` to the end of each sleep. Before each advance, waits for
 * asynchronous work that does not use the clock. Examples are reads of files, databases and sockets. `TestClock.adjust`
 * does not wait for such work, so a sleep that starts after the work would never end.
 *
 * The clock never advances beyond the end of the next sleep, so that no sleep ends late. If the effect does not end
 * within `limit`, interrupts the effect and dies. Requires `TestClock`, which `it.effect` of `@effect/vitest` provides.
 *
 * @example
 * ```ts
 * import { KeyValueStore } from "@effect/platform"
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect, Layer, Redacted, Stream, TestContext } from "effect"
 * import { Batch, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const journal = Batch.layerJournal().pipe(
 *   Layer.provide(KeyValueStore.layerFileSystem("journal")),
 *   Layer.provide(NodeContext.layer)
 * )
 * const client = ModelRouteClient.layer({ apiKey: Redacted.make("sk_test") }).pipe(
 *   Layer.provide([Simulator.layer(), IdempotencyKey.layer])
 * )
 *
 * // The journal writes real files. The executions take 8 seconds on the clock.
 * export const test = Batch.run(["a red fox", "a blue whale"], {
 *   id: "catalogue",
 *   key: (prompt) => prompt,
 *   request: (prompt) => ({ model: "flux-1.1-pro", input: { prompt } })
 * }).pipe(
 *   Stream.runCollect,
 *   Simulator.adjustUntilDone,
 *   Effect.provide([client, journal]),
 *   Effect.provide(TestContext.TestContext)
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const adjustUntilDone = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: AdjustOptions = {}
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.interruptible(Effect.fork(effect)),
    (fiber) => Effect.zipRight(advanceUntilDone(fiber, options), Fiber.join(fiber)),
    Fiber.interrupt
  )
