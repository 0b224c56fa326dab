/**
 * Ends a program gracefully at the first Ctrl-C, and at once at the second Ctrl-C or at SIGTERM.
 */
import { Effect, Exit, Queue, type Scope } from "effect"

export interface ProgramExit {
  readonly exitCode: number
}

const subscribe = (signal: NodeJS.Signals): Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.sliding<void>(1)
    const listen = () => void queue.unsafeOffer(undefined)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on(signal, listen)),
      () => Effect.sync(() => process.off(signal, listen))
    )
    return queue
  })

/**
 * Waits for a signal that ends the program at once, and returns its exit code. Runs `onFirst` at the first Ctrl-C, and `onReady` when a
 * second Ctrl-C takes effect.
 */
export const awaitExit = <R>(
  onFirst: Effect.Effect<void, never, R>,
  onReady: Effect.Effect<void, never, R>
): Effect.Effect<ProgramExit, never, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const interrupts = yield* subscribe("SIGINT")
      const terminations = yield* subscribe("SIGTERM")
      const twice = Effect.gen(function* () {
        yield* Queue.take(interrupts)
        yield* onFirst
        // The terminal signals every process of the command, and tsx forwards the signal: one Ctrl-C arrives twice.
        yield* Effect.sleep("500 millis")
        yield* Queue.takeAll(interrupts)
        yield* onReady
        yield* Queue.take(interrupts)
        return { exitCode: 130 }
      })
      return yield* Effect.raceFirst(twice, Effect.as(Queue.take(terminations), { exitCode: 143 }))
    })
  )

/** Replaces `NodeRuntime.runMain`, which interrupts at the first Ctrl-C. The program returns its exit code. */
export const runMain = <E>(program: Effect.Effect<number, E>): void => {
  Effect.runFork(program).addObserver((exit) => process.exit(Exit.getOrElse(exit, () => 1)))
}
