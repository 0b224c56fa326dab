/**
 * Runs effects in background fibers until the scope of a layer closes.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

/** @internal */
export interface Background {
  readonly run: (effect: Effect.Effect<void>) => void
  readonly runCall: <A>(call: Effect.Effect<A>) => Fiber.RuntimeFiber<A>
  /**
   * Interrupts all calls from `runCall`. Does not wait for the end of the calls, because the interruption of a remote
   * call needs the network.
   */
  readonly interruptCalls: () => void
}

/** @internal Creates a `Background`. When the scope closes, all background effects are interrupted. */
export const makeBackground: Effect.Effect<Background, never, Scope.Scope> = Effect.gen(function* () {
  const id = yield* Effect.fiberId
  const calls = yield* FiberSet.make<unknown, never>()
  // Otherwise, the background effects would inherit the uninterruptible region in which a layer is built.
  const run = yield* Effect.interruptible(FiberSet.makeRuntime<never, void, never>())
  const runCall = yield* Effect.interruptible(FiberSet.runtime(calls)())
  return {
    run: (effect) => void run(effect),
    runCall: (call) => runCall(call),
    interruptCalls: () => {
      for (const fiber of calls) fiber.unsafeInterruptAsFork(id)
    }
  }
})
