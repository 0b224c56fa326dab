/**
 * How a program ends that has something to finish: at the first Ctrl-C gently, at the second, or at SIGTERM, at once.
 */
import { Effect, Exit, Queue, type Scope } from "effect"

export interface Ending {
  readonly exitCode: number
}

const heard = (signal: NodeJS.Signals): Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope> =>
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
 * Told once, does the first thing, and the second when it listens for the next Ctrl-C. Ends when it was told to end at once: whoever
 * races with it is interrupted then.
 */
export const ending = <R>(
  first: Effect.Effect<void, never, R>,
  then: Effect.Effect<void, never, R>
): Effect.Effect<Ending, never, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const interrupts = yield* heard("SIGINT")
      const terminations = yield* heard("SIGTERM")
      const twice = Effect.gen(function* () {
        yield* Queue.take(interrupts)
        yield* first
        // The terminal tells every process of the command, and tsx passes it on once more: all that is one Ctrl-C.
        yield* Effect.sleep("500 millis")
        yield* Queue.takeAll(interrupts)
        yield* then
        yield* Queue.take(interrupts)
        return { exitCode: 130 }
      })
      return yield* Effect.raceFirst(twice, Effect.as(Queue.take(terminations), { exitCode: 143 }))
    })
  )

/** In place of `NodeRuntime.runMain`, which interrupts at the first Ctrl-C. The program gives its exit code. */
export const runMain = <E>(program: Effect.Effect<number, E>): void => {
  Effect.runFork(program).addObserver((exit) => process.exit(Exit.getOrElse(exit, () => 1)))
}
