/**
 * Ends an effect at a deadline, or when a listener is called first. `Effect.timeout` and `Effect.race` are not used, because they cost
 * two fibers and a race. They also never end if they are interrupted after they have created their fibers and before they have started
 * them.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as monotonic from "../data/monotonic.js"
import type { SharedTimer } from "./sharedTimer.js"

type Running<A, E> = Fiber.RuntimeFiber<Exit.Exit<A, E>>

/** Registers a callback for the first result. Returns a function that removes the callback. */
type Listen<A, E> = (resume: (result: Effect.Effect<A, E>) => void) => () => void

/** Runs `effect` in a fiber while `use` waits. Interrupts the fiber if it still runs when `use` has ended. */
const withFiber = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  use: (running: Running<A, E>) => Effect.Effect<A2, E2>
): Effect.Effect<A2, E2> =>
  Effect.uninterruptibleMask((restore) =>
    // An `Exit`, because a fiber that fails logs its failure unless it is joined. A daemon, because `onExit` ends it anyway.
    Effect.flatMap(Effect.forkDaemon(Effect.exit(restore(effect))), (running) =>
      Effect.onExit(restore(use(running)), () =>
        running.unsafePoll() === null ? Fiber.interrupt(running) : Effect.void
      )
    )
  )

const listenTo =
  <A, E>(running: Running<A, E>): Listen<A, E> =>
  (resume) => {
    const observer = (exit: Exit.Exit<Exit.Exit<A, E>>) => resume(Exit.flatten(exit))
    running.addObserver(observer)
    return () => running.removeObserver(observer)
  }

/** @internal Returns the result of the effect, or the result that `listen` reports earlier. */
export const raceListener = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  listen: Listen<A2, E2>
): Effect.Effect<A | A2, E | E2> =>
  withFiber(effect, (running) => {
    const removals: Array<() => void> = []
    const first = Effect.async<A | A2, E | E2>((resume) => {
      removals.push(listen(resume), listenTo(running)(resume))
    })
    return Effect.ensuring(
      first,
      Effect.sync(() => removals.forEach((remove) => remove()))
    )
  })

/**
 * Fails with `onTimeout` if the effect has not ended by its deadline, in monotonic milliseconds. When the deadline has passed,
 * `deadline` is called again, because it may have moved. Returns only after the effect has ended, so that nothing continues in the
 * background.
 *
 * @internal
 */
export const withDeadline = <A, E, E2>(
  timer: SharedTimer,
  effect: Effect.Effect<A, E>,
  deadline: (now: number) => number,
  onTimeout: () => E2
): Effect.Effect<A, E | E2> =>
  withFiber(effect, (running) => {
    const waitForEnd: Effect.Effect<A, E | E2> = Effect.flatMap(monotonic.now, (now) => {
      const at = deadline(now)
      return at > now
        ? timer.wait<A, E | E2>(at, () => waitForEnd, listenTo(running))
        : Effect.suspend(() => Effect.fail(onTimeout()))
    })
    return waitForEnd
  })

/** @internal The time limit of one attempt. */
export type AttemptTimeout = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal Makes a time limit that is the same for each attempt. */
export const makeAttemptTimeout =
  (timer: SharedTimer, millis: number): AttemptTimeout =>
  (attempt, onTimeout) =>
    Effect.flatMap(monotonic.now, (startedAt) => withDeadline(timer, attempt, () => startedAt + millis, onTimeout))
