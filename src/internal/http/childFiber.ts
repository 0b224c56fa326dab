/**
 * Runs an effect in a child fiber. A child fiber can be interrupted without an interruption of the calling fiber.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { type AnyFiber, awaitCallback } from "./awaitCallback.js"

/** @internal Options of a new fiber. */
export interface FiberOptions extends Runtime.RunForkOptions {
  /** Returns the context of the new fiber. Default: the context of the parent. */
  readonly mapContext?: (context: Context.Context<never>) => Context.Context<never>
}

/**
 * Starts an effect in a new fiber with the context and the references of `parent`. The new fiber is interruptible. The
 * end of `parent` does not interrupt the new fiber.
 *
 * @internal
 */
export const startFiber = <A, E>(
  parent: AnyFiber,
  effect: Effect.Effect<A, E>,
  options: FiberOptions = {}
): Fiber.RuntimeFiber<A, E> => {
  const context = parent.currentContext
  const runtime = Runtime.make({
    context: options.mapContext === undefined ? context : options.mapContext(context),
    fiberRefs: parent.getFiberRefs(),
    runtimeFlags: Runtime.defaultRuntimeFlags
  })
  return Runtime.runFork(runtime, effect, options)
}

/** Interrupts the child fiber and returns another result. Ignores all calls after the first. */
type EndEarly<A, E> = (result: Effect.Effect<A, E>) => void

/**
 * Runs an effect in a child fiber. `listen` can interrupt the child fiber and return another result. `listen` returns a
 * function that removes the listener. Returns after the child fiber has ended, so no work continues in the background.
 *
 * `Effect.timeout` and `Effect.race` are not used, because each of these effects starts two fibers. An interruption
 * before these fibers have started would also leave the caller waiting forever.
 *
 * @internal
 */
export const runInChild = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  listen: (endEarly: EndEarly<A2, E2>, parent: AnyFiber) => () => void,
  options?: FiberOptions
): Effect.Effect<A | A2, E | E2> =>
  awaitCallback<A | A2, E | E2>((resume, parent) => {
    // `Effect.exit` prevents a log line for a failed fiber. The fiber does not start immediately because concurrent
    // requests must reach the gate before the first response.
    const child = startFiber(parent, Effect.exit(effect), { ...options, immediate: false })
    let early: Effect.Effect<A2, E2> | undefined
    let stop = (): void => {}
    child.addObserver((exit) => {
      stop()
      resume(early ?? Exit.flatten(exit))
    })
    stop = listen((result) => {
      if (early !== undefined) return
      early = result
      child.unsafeInterruptAsFork(child.id())
    }, parent)
    return Fiber.interrupt(child)
  })
