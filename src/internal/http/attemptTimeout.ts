/**
 * Runs an effect until it ends, its deadline passes or a listener reports a result. `Effect.timeout` and `Effect.race`
 * are not used because each starts two fibers. Both also never end if they are interrupted between the creation and the
 * start of their fibers.
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

/** Runs `effect` in a fiber until `use` ends. Then interrupts the fiber if the fiber is still running. */
const withFiber = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  use: (running: Running<A, E>) => Effect.Effect<A2, E2>
): Effect.Effect<A2, E2> =>
  Effect.uninterruptibleMask((restore) =>
    // `Effect.exit` prevents a log line for a failed fiber. The fiber can be a daemon because `onExit` interrupts it.
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

/** @internal Returns the result of the effect or the result that `listen` reports, whichever comes first. */
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
 * Returns the result of the effect if the effect ends before its deadline. The deadline is in monotonic milliseconds.
 * When the deadline passes, `deadline` is called again because the deadline can move. Otherwise, interrupts the effect,
 * waits for its end and fails with `onTimeout`.
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

/** @internal Applies a time limit to an attempt. Fails with `onTimeout` after the time limit. */
export type AttemptTimeout = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal Creates a time limit of `millis` milliseconds per attempt. */
export const makeAttemptTimeout =
  (timer: SharedTimer, millis: number): AttemptTimeout =>
  (attempt, onTimeout) =>
    Effect.flatMap(monotonic.now, (startedAt) => withDeadline(timer, attempt, () => startedAt + millis, onTimeout))
