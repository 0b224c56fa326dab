/**
 * Waits for the result of a callback API, such as a timer or a stream reader.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { bindToRequest } from "./runtime.js"

/** @internal Any running fiber. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/**
 * Calls `register`, waits until `register` calls `resume`, and returns the result. `register` returns a cleanup effect.
 * If the wait is interrupted, this cleanup effect runs. `Effect.async` is not sufficient. Its cleanup effect is lost if
 * the interruption occurs after the registration and before the wait.
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
        wake = bindToRequest(() => resume(result ?? Effect.never))
        if (result !== undefined) wake()
      })
      return Effect.catchAllCause(restore(wait), (cause) =>
        result === undefined ? Effect.zipRight(cleanUp, Effect.failCause(cause)) : Effect.failCause(cause)
      )
    })
  )
