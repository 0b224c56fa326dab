/**
 * Streams the bytes of an upload to storage and reports the progress. Each attempt sends exactly the declared number of
 * bytes. An attempt fails if storage reads no bytes during the attempt timeout.
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
 * Assumed minimum speed of an upload from memory, in bytes per millisecond. Extends the attempt timeout, because the
 * transport does not report the progress of an upload from memory.
 */
const minBytesPerMilli = 64

/**
 * Splits a byte array into two halves, which the stream emits in one `Chunk`. The client for node:http waits for
 * backpressure only between the arrays of a `Chunk`. With one array per `Chunk`, the client would buffer the whole file.
 */
const halve = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const half = bytes.length >> 1
  return [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0)
}

/**
 * State of one upload attempt. The source runs in the scope of the attempt, because a transport does not always close
 * the body.
 */
interface Attempt {
  readonly scope: Scope.CloseableScope
  sentBytes: number
  /** Indicates whether the transport has read all bytes. */
  isComplete: boolean
  isClosed: boolean
  /** Fiber that reads the source. */
  reader: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Fiber of the transport that has read the latest bytes. */
  transportFiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

/** @internal */
export interface UploadBodyOptions<E> {
  readonly source: Source<E>
  readonly onProgress: (progress: Progress) => Effect.Effect<void, InvalidRequest>
  /**
   * Creates the error for a source that does not match its declared size. `found` describes the actual size. `runs` is
   * the number of times that the source was run.
   */
  readonly makeSizeError: (found: string, runs: number) => InvalidRequest
  /**
   * Log level for unhandled failures in the source and in `onProgress`. This is the log level of the caller's fiber.
   * The fibers of the transport use no log level, because their errors contain the upload URL.
   */
  readonly logLevel: Option.Option<LogLevel.LogLevel>
}

/** @internal Request body of an upload. All attempts read the same source. */
export class UploadBody<E> {
  private attempt: Attempt | undefined
  private runs = 0
  /**
   * Highest number of sent bytes that `onProgress` has received. If a later attempt sends these bytes again, they are
   * not reported again.
   */
  private reportedBytes = -1
  /**
   * The time since which storage has read no bytes, in monotonic milliseconds. `undefined` while the source is read,
   * because a slow source must not cause a timeout.
   */
  private idleSince: number | undefined
  /** Extension of the attempt timeout in milliseconds, for a transport that sends the whole body from memory. */
  private sendMillis = 0
  /**
   * Failure of the source or of `onProgress`. This failure ends the upload without a retry, because the next attempt
   * would also fail.
   */
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

  /**
   * Extends the timeout of the latest attempt. The transport calls this function after it has read the whole body into
   * memory.
   */
  readonly onCollected = (): void => {
    this.sendMillis = this.options.source.size / minBytesPerMilli
  }

  /** Calls `resume` if the source fails or has already failed. Returns a function that removes this listener. */
  readonly onSourceFailure = (resume: (failure: Effect.Effect<never, E | InvalidRequest>) => void): (() => void) => {
    this.listener = () => {
      if (this.sourceFailure !== undefined) resume(this.sourceFailure)
    }
    this.listener()
    return () => {
      this.listener = undefined
    }
  }

  /** Request body of each attempt. If the transport continues to read after the end of its attempt, the stream ends. */
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
    // The last of the declared bytes are sent only after the source has ended. Otherwise, storage could complete the
    // file before the source returns too many bytes.
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
      attempt.transportFiber = fiber
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
   * Returns a function that limits the time of each attempt. An attempt fails if storage neither reads bytes nor
   * responds for `millis` milliseconds. At the end of an attempt, the source is interrupted.
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
    this.attempt = {
      scope,
      sentBytes: 0,
      isComplete: false,
      isClosed: false,
      reader: undefined,
      transportFiber: undefined
    }
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
    const { reader, scope, transportFiber } = attempt
    const stopReader = reader === undefined ? Effect.void : Fiber.interrupt(reader)
    // If `fetch` is interrupted before it reads the body, it never closes the body, and the fiber would wait forever.
    const stopTransport = transportFiber === undefined ? Effect.void : Fiber.interruptFork(transportFiber)
    return stopReader.pipe(Effect.zipRight(stopTransport), Effect.zipRight(Scope.close(scope, Exit.void)))
  })

/** @internal */
export const callerLogLevel: Effect.Effect<Option.Option<LogLevel.LogLevel>> = FiberRef.get(
  FiberRef.unhandledErrorLogLevel
)
