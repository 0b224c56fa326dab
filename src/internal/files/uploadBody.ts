/**
 * Streams the bytes of an upload to storage and reports the progress. Sends exactly the declared number of bytes. Fails
 * an attempt if storage reads no bytes until the timeout.
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
import * as monotonic from "../data/monotonic.js"
import { type AttemptTimeout, withDeadline } from "../http/attemptTimeout.js"
import type { SharedTimer } from "../http/sharedTimer.js"

const noBytes = new Uint8Array(0)

/**
 * Minimum speed of an upload from memory, in bytes per millisecond. The transport does not report which of these bytes
 * it has sent.
 */
const minBytesPerMilli = 64

/**
 * Splits an array in two. The client for node:http applies no backpressure after the last array of a chunk. Without the
 * split, the client would buffer the whole file.
 */
const halve = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const half = bytes.length >> 1
  return [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0)
}

/** State of one attempt. The source runs in a separate scope, because a transport does not always close the body. */
interface Attempt {
  readonly scope: Scope.CloseableScope
  sentBytes: number
  /** Indicates whether the transport has read all bytes. */
  isComplete: boolean
  isClosed: boolean
  /** Fiber that reads the source. */
  reader: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

/** @internal */
export interface UploadBodyOptions<E> {
  readonly source: Source<E>
  readonly onProgress: (progress: Progress) => Effect.Effect<void, InvalidRequest>
  /**
   * Creates the error for a source that does not match its declared size. `runs` is the number of runs of the source.
   */
  readonly makeSizeError: (found: string, runs: number) => InvalidRequest
  /**
   * Log level for unhandled failures in the fibers of the caller. Fibers of the transport do not log failures, because
   * their errors contain the URL.
   */
  readonly logLevel: Option.Option<LogLevel.LogLevel>
}

/** @internal Request body of an upload. All attempts read the same source. */
export class UploadBody<E> {
  private attempt: Attempt | undefined
  private runs = 0
  /** Highest number of bytes that has been reported. Bytes that are sent again are not reported. */
  private reportedBytes = -1
  /** Start of the idle time in monotonic milliseconds, or `undefined` while the source is read. */
  private idleSince: number | undefined
  /** Additional idle time in milliseconds, while the transport sends the whole body from memory. */
  private sendMillis = 0
  /** Failure of the source. A failed source ends the upload, because the next attempt would also fail. */
  private sourceFailure: Effect.Effect<never, E | InvalidRequest> | undefined
  private listener: (() => void) | undefined

  constructor(private readonly options: UploadBodyOptions<E>) {}

  /** Number of bytes that the transport has read in the latest attempt. */
  get sentBytes(): number {
    return this.attempt?.sentBytes ?? 0
  }

  /** Indicates whether the transport has read all bytes in the latest attempt. */
  get isComplete(): boolean {
    return this.attempt?.isComplete === true
  }

  /** Returns `true` if the transport has read some of the bytes in the latest attempt, but not all. */
  readonly isPartlySent = (): boolean => this.sentBytes > 0 && !this.isComplete

  /** Extends the timeout of the attempt, because the transport sends the whole body from memory. */
  readonly onCollected = (): void => {
    this.sendMillis = this.options.source.size / minBytesPerMilli
  }

  /** Registers a listener for the failure of the source. Returns a function that removes the listener. */
  readonly onSourceFailure = (resume: (failure: Effect.Effect<never, E | InvalidRequest>) => void): (() => void) => {
    this.listener = () => {
      if (this.sourceFailure !== undefined) resume(this.sourceFailure)
    }
    this.listener()
    return () => {
      this.listener = undefined
    }
  }

  /** Request body of each attempt. The stream ends early if its attempt has ended. */
  readonly stream: Stream.Stream<Uint8Array, E | InvalidRequest> = Stream.unwrap(
    Effect.suspend(() => {
      const { attempt } = this
      if (attempt === undefined || attempt.isClosed) return Effect.succeed(Stream.empty)
      this.runs += 1
      return Effect.map(Scope.extend(this.asCaller(Stream.toPull(this.options.source.stream)), attempt.scope), (pull) =>
        this.streamBytes(attempt, this.asCaller(pull))
      )
    })
  )

  private streamBytes(
    attempt: Attempt,
    pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<E>>
  ): Stream.Stream<Uint8Array, E | InvalidRequest> {
    const { makeSizeError, source } = this.options
    // The last bytes are sent after the source has ended. Otherwise storage could complete the file before an oversized
    // source fails.
    let lastBytes: Uint8Array | undefined
    let readBytes = 0
    let isEnded = false

    const onChunk = (chunk: Chunk.Chunk<Uint8Array>): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
      const ready: Array<Uint8Array> = []
      for (const bytes of chunk) {
        if (bytes.length === 0) continue
        readBytes += bytes.length
        if (readBytes > source.size) return Effect.fail(makeSizeError(`more than its ${source.size} bytes`, this.runs))
        if (readBytes === source.size) lastBytes = bytes
        else ready.push(...halve(bytes))
      }
      attempt.sentBytes = readBytes - (lastBytes?.length ?? 0)
      return Effect.as(ready.length === 0 ? Effect.void : this.report(attempt.sentBytes), Chunk.unsafeFromArray(ready))
    }

    const onEnd = Effect.suspend((): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
      isEnded = true
      if (readBytes < source.size) {
        return Effect.fail(makeSizeError(`only ${readBytes} of its ${source.size} bytes`, this.runs))
      }
      attempt.sentBytes = readBytes
      attempt.isComplete = true
      return Effect.as(this.report(readBytes), Chunk.unsafeFromArray(halve(lastBytes ?? noBytes)))
    })

    const readNext = Effect.withFiberRuntime<Chunk.Chunk<Uint8Array>, E | InvalidRequest>((fiber) => {
      attempt.reader = fiber
      this.idleSince = undefined
      return Effect.matchEffect(pull, {
        onSuccess: onChunk,
        onFailure: Option.match({
          onNone: () => onEnd,
          onSome: (error): Effect.Effect<Chunk.Chunk<Uint8Array>, E | InvalidRequest> => Effect.fail(error)
        })
      }).pipe(
        Effect.tapErrorCause((cause) => Effect.sync(() => this.fail(attempt, cause))),
        Effect.ensuring(
          Effect.sync(() => {
            attempt.reader = undefined
          })
        ),
        Effect.zipLeft(this.startIdle)
      )
    })

    return Stream.repeatEffectChunkOption(
      Effect.suspend(() =>
        isEnded || attempt.isClosed ? Effect.fail(Option.none()) : Effect.mapError(readNext, Option.some)
      )
    )
  }

  /**
   * Returns the timeout of each attempt. An attempt fails if storage neither reads bytes nor responds for `millis`. The
   * source stops when its attempt ends.
   */
  timeLimit(timer: SharedTimer, millis: number): AttemptTimeout {
    const deadline = (now: number): number => (this.idleSince ?? now) + millis + this.sendMillis
    return <A, E2>(run: Effect.Effect<A, E2>, onTimeout: () => E2) =>
      Effect.acquireUseRelease(
        this.startAttempt,
        () => Effect.zipRight(this.startIdle, withDeadline(timer, run, deadline, onTimeout)),
        closeAttempt
      )
  }

  private readonly startAttempt: Effect.Effect<Attempt> = Effect.map(Scope.make(), (scope) => {
    this.sendMillis = 0
    this.attempt = { scope, sentBytes: 0, isComplete: false, isClosed: false, reader: undefined }
    return this.attempt
  })

  private readonly startIdle: Effect.Effect<void> = Effect.map(monotonic.now, (now) => {
    this.idleSince = now
  })

  private report(sentBytes: number): Effect.Effect<void, InvalidRequest> {
    if (sentBytes <= this.reportedBytes) return Effect.void
    this.reportedBytes = sentBytes
    return this.asCaller(this.options.onProgress({ sent: sentBytes, size: this.options.source.size }))
  }

  private fail(attempt: Attempt, cause: Cause.Cause<E | InvalidRequest>): void {
    if (attempt.isClosed || Cause.isInterruptedOnly(cause)) return
    this.sourceFailure = Effect.failCause(cause)
    this.listener?.()
  }

  private asCaller<A, E2, R>(effect: Effect.Effect<A, E2, R>): Effect.Effect<A, E2, R> {
    return Effect.withUnhandledErrorLogLevel(effect, this.options.logLevel)
  }
}

const closeAttempt = (attempt: Attempt): Effect.Effect<void> =>
  Effect.suspend(() => {
    attempt.isClosed = true
    const stopReader = attempt.reader === undefined ? Effect.void : Fiber.interrupt(attempt.reader)
    return Effect.zipRight(stopReader, Scope.close(attempt.scope, Exit.void))
  })

/** @internal */
export const callerLogLevel: Effect.Effect<Option.Option<LogLevel.LogLevel>> = FiberRef.get(
  FiberRef.unhandledErrorLogLevel
)
