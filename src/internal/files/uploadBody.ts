/**
 * The bytes of an upload on their way to storage: exactly as many as were promised, with progress, and with a limit for the time in
 * which storage takes none of them.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Progress, Source } from "../../File.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import type { Alarm } from "../http/sharedTimer.js"
import * as monotonic from "../data/monotonic.js"
import { type TimeLimit, within } from "../http/attemptTimeout.js"

const nothing = new Uint8Array(0)

/** The platform's client for node:http waits for room between the parts of a chunk only, and would buffer all of a large file. */
const inParts = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const half = bytes.length >> 1
  return [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0)
}

/** One attempt: the source is run once for it, in a scope that ends with it. A transport does not always end its body. */
interface Attempt {
  readonly scope: Scope.CloseableScope
  sent: number
  /** Whether the transport has taken all bytes. */
  isComplete: boolean
  isClosed: boolean
  /** The fiber that reads the source now. */
  reader: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

/** @internal */
export interface Options<E> {
  readonly source: Source<E>
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  /** The error for a source that holds other bytes than it promised. `runs` counts how often it was run. */
  readonly miscounted: (found: string, runs: number) => InvalidRequest
  /** How fibers of the caller log a failure. The fibers of the transport do not: their errors contain the URL. */
  readonly logLevel: Option.Option<LogLevel.LogLevel>
}

/** @internal The bytes of one source, for all attempts of one upload. */
export class BytesSent<E> {
  private attempt: Attempt | undefined
  private runs = 0
  /** The most that an attempt has sent: what is sent again is no progress. */
  private reportedBytes = -1
  /** Since when the transport has taken nothing, in monotonic milliseconds; `undefined` while the source is read. */
  private idleSince: number | undefined
  /** The failure of the source, which no further attempt can change. */
  private failure: Effect.Effect<never, E | InvalidRequest> | undefined
  private onFailure: (() => void) | undefined

  constructor(private readonly options: Options<E>) {}

  /** How many bytes the transport has taken in the latest attempt. */
  get sent(): number {
    return this.attempt?.sent ?? 0
  }

  /** Whether those are all. */
  get isComplete(): boolean {
    return this.attempt?.isComplete === true
  }

  /** Reports a failure of the source. */
  readonly listen = (resume: (failure: Effect.Effect<never, E | InvalidRequest>) => void): (() => void) => {
    this.onFailure = () => {
      if (this.failure !== undefined) resume(this.failure)
    }
    this.onFailure()
    return () => {
      this.onFailure = undefined
    }
  }

  /** The body of each attempt. It ends early if the attempt has ended. */
  readonly stream: Stream.Stream<Uint8Array, E | InvalidRequest> = Stream.unwrap(
    Effect.suspend(() => {
      const { attempt } = this
      if (attempt === undefined || attempt.isClosed) return Effect.succeed(Stream.empty)
      this.runs += 1
      return Effect.map(Scope.extend(this.asCaller(Stream.toPull(this.options.source.stream)), attempt.scope), (pull) =>
        this.bytesOf(attempt, this.asCaller(pull))
      )
    })
  )

  private bytesOf(
    attempt: Attempt,
    pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<E>>
  ): Stream.Stream<Uint8Array, E | InvalidRequest> {
    const { miscounted, source } = this.options
    // Held back until the source has ended: a source that holds more must not leave a whole file behind.
    let last: Uint8Array | undefined
    let total = 0
    let isEnded = false

    const take = (chunks: Chunk.Chunk<Uint8Array>): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
      const ready: Array<Uint8Array> = []
      for (const bytes of chunks) {
        if (bytes.length === 0) continue
        total += bytes.length
        if (total > source.size) return Effect.fail(miscounted(`more than its ${source.size} bytes`, this.runs))
        if (total === source.size) last = bytes
        else ready.push(...inParts(bytes))
      }
      attempt.sent = total - (last?.length ?? 0)
      return Effect.as(ready.length === 0 ? Effect.void : this.report(attempt.sent), Chunk.unsafeFromArray(ready))
    }

    const complete = Effect.suspend((): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
      isEnded = true
      if (total < source.size) {
        return Effect.fail(miscounted(`only ${total} of its ${source.size} bytes`, this.runs))
      }
      attempt.sent = total
      attempt.isComplete = true
      return Effect.as(this.report(total), Chunk.unsafeFromArray(inParts(last ?? nothing)))
    })

    const read = Effect.withFiberRuntime<Chunk.Chunk<Uint8Array>, E | InvalidRequest>((fiber) => {
      attempt.reader = fiber
      this.idleSince = undefined
      return Effect.matchEffect(pull, {
        onSuccess: take,
        onFailure: Option.match({
          onNone: () => complete,
          onSome: (error): Effect.Effect<Chunk.Chunk<Uint8Array>, E | InvalidRequest> => Effect.fail(error)
        })
      }).pipe(
        Effect.tapErrorCause((cause) => Effect.sync(() => this.fail(attempt, cause))),
        Effect.ensuring(
          Effect.sync(() => {
            attempt.reader = undefined
          })
        ),
        Effect.zipLeft(this.handedOver)
      )
    })

    return Stream.repeatEffectChunkOption(
      Effect.suspend(() =>
        isEnded || attempt.isClosed ? Effect.fail(Option.none()) : Effect.mapError(read, Option.some)
      )
    )
  }

  /** Ends an attempt when storage takes nothing, or does not answer, for so many milliseconds; and its source in any case. */
  limit(alarm: Alarm, millis: number): TimeLimit {
    const deadline = (now: number): number => (this.idleSince ?? now) + millis
    return <A, E2>(run: Effect.Effect<A, E2>, onTimeout: () => E2) =>
      Effect.acquireUseRelease(
        this.begin,
        () => Effect.zipRight(this.handedOver, within(alarm, run, deadline, onTimeout)),
        end
      )
  }

  private readonly begin: Effect.Effect<Attempt> = Effect.map(Scope.make(), (scope) => {
    this.attempt = { scope, sent: 0, isComplete: false, isClosed: false, reader: undefined }
    return this.attempt
  })

  private readonly handedOver: Effect.Effect<void> = Effect.map(monotonic.now, (now) => {
    this.idleSince = now
  })

  private report(sent: number): Effect.Effect<void> {
    if (sent <= this.reportedBytes) return Effect.void
    this.reportedBytes = sent
    return this.asCaller(this.options.onProgress({ sent, size: this.options.source.size }))
  }

  private fail(attempt: Attempt, cause: Cause.Cause<E | InvalidRequest>): void {
    if (attempt.isClosed || Cause.isInterruptedOnly(cause)) return
    this.failure = Effect.failCause(cause)
    this.onFailure?.()
  }

  private asCaller<A, E2, R>(effect: Effect.Effect<A, E2, R>): Effect.Effect<A, E2, R> {
    return Effect.withUnhandledErrorLogLevel(effect, this.options.logLevel)
  }
}

const end = (attempt: Attempt): Effect.Effect<void> =>
  Effect.suspend(() => {
    attempt.isClosed = true
    const stopped = attempt.reader === undefined ? Effect.void : Fiber.interrupt(attempt.reader)
    return Effect.zipRight(stopped, Scope.close(attempt.scope, Exit.void))
  })

/** @internal */
export const callerLogLevel: Effect.Effect<Option.Option<LogLevel.LogLevel>> = FiberRef.get(
  FiberRef.unhandledErrorLogLevel
)
