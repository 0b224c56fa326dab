/**
 * Runs effects in the background of a layer.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"

/** @internal */
export interface Background {
  readonly run: (effect: Effect.Effect<void>) => void
  readonly runCall: <A>(call: Effect.Effect<A>) => Fiber.RuntimeFiber<A>
  /** Interrupts all calls without waiting for their end, because the interruption of a remote call needs the network. */
  readonly interruptCalls: () => void
}

/** @internal Interrupts all effects when the scope closes. */
export const makeBackground: Effect.Effect<Background, never, Scope.Scope> = Effect.gen(function* () {
  const runFork = Runtime.runFork(yield* Effect.interruptible(Effect.runtime<never>()))
  const id = yield* Effect.fiberId
  const fibers = new Set<Fiber.RuntimeFiber<unknown>>()
  const calls = new Set<Fiber.RuntimeFiber<unknown>>()
  const runIn = <A>(set: Set<Fiber.RuntimeFiber<unknown>>, effect: Effect.Effect<A>): Fiber.RuntimeFiber<A> => {
    const fiber = runFork(effect)
    set.add(fiber)
    fiber.addObserver(() => set.delete(fiber))
    return fiber
  }
  yield* Effect.addFinalizer(() => Fiber.interruptAll([...fibers, ...calls]))
  return {
    run: (effect) => void runIn(fibers, effect),
    runCall: (call) => runIn(calls, call),
    interruptCalls: () => calls.forEach((fiber) => fiber.unsafeInterruptAsFork(id))
  }
})
