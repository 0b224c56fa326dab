/**
 * Runs an effect in a child fiber. The child fiber can be interrupted without an interruption of the calling fiber, for
 * example after a timeout.
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
  /** Maps the context of the parent to the context of the new fiber. Default: the context of the parent. */
  readonly mapContext?: (context: Context.Context<never>) => Context.Context<never>
}

/**
 * Starts an effect in a new fiber. The new fiber has the context and the `FiberRef` values of `parent`. The new fiber
 * is interruptible and continues after `parent` has ended.
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

/** Interrupts the child fiber and replaces its result by `result`. Only the first call has an effect. */
type EndEarly<A, E> = (result: Effect.Effect<A, E>) => void

/**
 * Runs an effect in a child fiber and returns its result. `listen` receives a function `endEarly`, which interrupts the
 * child fiber and replaces its result. `listen` returns a function that removes its listener. The caller resumes only
 * after the child fiber has ended, so that no work continues in the background.
 *
 * `Effect.timeout` and `Effect.race` are not used, because both start two fibers. If the caller is interrupted before
 * these fibers start, the caller would also wait forever.
 *
 * @internal
 */
export const runInChild = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  listen: (endEarly: EndEarly<A2, E2>, parent: AnyFiber) => () => void,
  options?: FiberOptions
): Effect.Effect<A | A2, E | E2> =>
  awaitCallback<A | A2, E | E2>((resume, parent) => {
    // `Effect.exit` prevents the log line that Effect writes for an unhandled failure of a fiber. The fiber does not
    // start immediately. All concurrent requests can then join the queue of the gate before the first response arrives.
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
