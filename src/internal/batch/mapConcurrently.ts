/**
 * Maps the elements of a stream concurrently and emits each result when it is available. A fixed number of workers
 * processes the elements. `Stream.mapEffect` with the option `unordered` would start a channel for each element. A
 * channel uses about as much CPU time as all API calls of a batch item.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Maximum number of results in the queue for the consumer. */
const maxWaitingResults = 16

/**
 * Returns an effect that takes the next element of a stream. Several workers can share the effect. The effect fails
 * with `None` after the last element, and with `Some` of the error if the stream fails.
 */
const makeTake = <A, E, R>(
  input: Stream.Stream<A, E, R>
): Effect.Effect<Effect.Effect<A, Option.Option<E>, R>, never, R | Scope.Scope> =>
  Effect.map(Stream.toPull(Stream.rechunk(input, 1)), (pull) =>
    Effect.unsafeMakeSemaphore(1).withPermits(1)(Effect.map(pull, Chunk.unsafeHead))
  )

/**
 * Runs `f` for at most `concurrency` elements at the same time. A failure of `input` or `f` interrupts all running
 * effects and fails the returned stream. An early end of the returned stream also interrupts the running effects.
 *
 * @internal
 */
export const mapConcurrently = <A, E, R, B, E2, R2>(
  input: Stream.Stream<A, E, R>,
  concurrency: number,
  f: (element: A) => Effect.Effect<B, E2, R2>
): Stream.Stream<B, E | E2, R | R2> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const take = yield* makeTake(input)
      const results = yield* Queue.bounded<Exit.Exit<B, Option.Option<E | E2>>>(maxWaitingResults)
      const offer = (result: Exit.Exit<B, Option.Option<E | E2>>) => Queue.offer(results, result)
      const runWorker: Effect.Effect<void, Option.Option<E | E2>, R | R2> = Effect.flatMap(take, (element) =>
        Effect.flatMap(Effect.mapError(f(element), Option.some), (result) =>
          Effect.zipRight(offer(Exit.succeed(result)), runWorker)
        )
      )
      const worker = Effect.catchIf(runWorker, Option.isNone, () => Effect.void)
      const workers = Effect.replicateEffect(worker, concurrency, { concurrency: "unbounded", discard: true })
      const end = Effect.matchCauseEffect(workers, {
        onSuccess: () => offer(Exit.fail(Option.none())),
        onFailure: (cause) => offer(Exit.failCause(cause))
      })
      // When the scope closes, the scope interrupts the workers. The workers must be interruptible even in an
      // uninterruptible region. Otherwise, the scope could not close.
      yield* Effect.forkScoped(Effect.interruptible(end))
      return Stream.repeatEffectOption(Effect.flatten(Queue.take(results)))
    })
  )
