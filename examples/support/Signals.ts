/**
 * Stops a program after Ctrl-C or another signal.
 */
import { Console, Deferred, Effect, Either, Exit, Queue, Record, type Scope } from "effect"

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
 * Waits for the second Ctrl-C or for SIGTERM, and returns the exit code. Runs `onFirst` after the first Ctrl-C. Runs
 * `onReady` before it waits for the second Ctrl-C.
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
        // One Ctrl-C arrives twice, because the terminal signals every process and tsx also forwards the signal.
        yield* Effect.sleep("500 millis")
        yield* Queue.takeAll(interrupts)
        yield* onReady
        yield* Queue.take(interrupts)
        return { exitCode: 130 }
      })
      return yield* Effect.raceFirst(twice, Effect.as(Queue.take(terminations), { exitCode: 143 }))
    })
  )

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Ends when the reader of the output has ended, for example after `npm run example:durable | head`. */
const outputClosed = Effect.gen(function* () {
  const closed = yield* Deferred.make<void>()
  const onError = () => Deferred.unsafeDone(closed, Effect.void)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.stdout.on("error", onError)),
    () => Effect.sync(() => process.stdout.off("error", onError))
  )
  return Effect.as(Deferred.await(closed), Either.left(141))
})

/**
 * Runs a program until it ends, until the process receives a signal, or until its output is closed. Returns the exit
 * code of the program or of the signal. Then runs the finalizers of the program, and ignores the later signals.
 */
export const interruptOnSignal = <E, R>(program: Effect.Effect<number, E, R>): Effect.Effect<number, E, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const signals = yield* Effect.forEach(Record.toEntries(exitCodes), ([signal, code]) =>
        Effect.map(subscribe(signal), (queue) => Effect.as(Queue.take(queue), Either.left(code)))
      )
      const stopped = Effect.raceAll([yield* outputClosed, ...signals])
      const ended = yield* Effect.raceFirst(Effect.map(program, Either.right), stopped)
      if (Either.isLeft(ended)) yield* Console.log("\nStopped.")
      return Either.merge(ended)
    })
  )

/**
 * Runs a program and exits with the code that it returns. `NodeRuntime.runMain` is unsuitable, because it interrupts
 * the program at the first Ctrl-C.
 */
export const runMain = <E>(program: Effect.Effect<number, E>): void => {
  Effect.runFork(program).addObserver((exit) => process.exit(Exit.getOrElse(exit, () => 1)))
}
