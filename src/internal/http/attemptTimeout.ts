/**
 * Ends an effect when its time is up, or when something else happens first. `Effect.timeout` and `Effect.race` are not used: they
 * cost two fibers and a race, and never end if they are interrupted after they have created their fibers and before they have
 * started them.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SharedTimer } from "./sharedTimer.js"
import * as monotonic from "../data/monotonic.js"

type Running<A, E> = Fiber.RuntimeFiber<Exit.Exit<A, E>>

/** Registers a callback for the first result, and returns a function that removes it. */
type Listen<A, E> = (resume: (result: Effect.Effect<A, E>) => void) => () => void

/** Runs `effect` in a fiber while `use` waits, and interrupts the fiber if it is still running then. */
const withFiber = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  use: (running: Running<A, E>) => Effect.Effect<A2, E2>
): Effect.Effect<A2, E2> =>
  Effect.uninterruptibleMask((restore) =>
    // An `Exit`, because a fiber that fails and that nobody joins logs its failure. A daemon, because it ends here anyway.
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

/** @internal Returns the result of the effect, or what `listen` reports before that. */
export const raceListener = <A, E, A2, E2>(
  effect: Effect.Effect<A, E>,
  listen: Listen<A2, E2>
): Effect.Effect<A | A2, E | E2> =>
  withFiber(effect, (running) => {
    const stops: Array<() => void> = []
    const first = Effect.async<A | A2, E | E2>((resume) => {
      stops.push(listen(resume), listenTo(running)(resume))
    })
    return Effect.ensuring(
      first,
      Effect.sync(() => stops.forEach((stop) => stop()))
    )
  })

/**
 * Fails with `onTimeout` when the effect has not ended by its deadline (monotonic milliseconds). `deadline` is asked again when it
 * has passed: it may have moved. Returns only after the effect has ended: nothing of it goes on in the background.
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
    const watch: Effect.Effect<A, E | E2> = Effect.flatMap(monotonic.now, (now) => {
      const at = deadline(now)
      return at > now
        ? timer.wait<A, E | E2>(at, () => watch, listenTo(running))
        : Effect.suspend(() => Effect.fail(onTimeout()))
    })
    return watch
  })

/** @internal The time limit of one attempt. */
export type AttemptTimeout = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal The same limit, in milliseconds, for each attempt. */
export const makeAttemptTimeout =
  (timer: SharedTimer, millis: number): AttemptTimeout =>
  (attempt, onTimeout) =>
    Effect.flatMap(monotonic.now, (startedAt) => withDeadline(timer, attempt, () => startedAt + millis, onTimeout))
