/**
 * Waits for a callback.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** @internal Any running fiber. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/**
 * Calls `register` and waits until `resume` is called. If the wait is interrupted, runs the effect that `register`
 * returned. `Effect.async` is not sufficient, because an interruption between the registration and the wait loses the
 * cleanup effect.
 *
 * @internal
 */
export const awaitCallback = <A, E>(
  register: (resume: (result: Effect.Effect<A, E>) => void, fiber: AnyFiber) => Effect.Effect<void>
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      let result: Effect.Effect<A, E> | undefined
      let wake = (): void => {}
      const cleanUp = register((first) => {
        if (result !== undefined) return
        result = first
        wake()
      }, fiber)
      const wait = Effect.async<A, E>((resume) => {
        wake = () => resume(result ?? Effect.never)
        if (result !== undefined) wake()
      })
      return Effect.catchAllCause(restore(wait), (cause) =>
        result === undefined ? Effect.zipRight(cleanUp, Effect.failCause(cause)) : Effect.failCause(cause)
      )
    })
  )
