/**
 * Implements the option `cancelOnInterrupt`, which cancels an execution if the fiber that waits for its result is
 * interrupted. If the create request has not been sent, the interruption only stops the request. If the create request
 * may have been sent, the request continues in the background. After the create response, the execution is cancelled.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ExecutionId } from "../../Execution.js"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { SharedTimer } from "../http/sharedTimer.js"
import { type AttemptInfo, type AttemptInterceptor, CurrentAttemptInterceptor } from "../http/attemptInterceptor.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import * as monotonic from "../data/monotonic.js"
import { wasNotProcessed } from "../errors/semantics.js"
import { runSafely } from "../telemetry.js"
import { withDeadline } from "../http/attemptTimeout.js"
import { SubmissionTracker } from "./submissionTracker.js"

/**
 * Maximum time that an interrupted fiber waits for the cancel request. After this time, the request continues in the
 * background.
 */
const maxInterruptionMillis = Duration.toMillis("10 seconds")
/** Maximum duration of each create request and each cancel request that continues in the background. */
const maxBackgroundMillis = Duration.toMillis("5 minutes")

/** @internal The cancel function and the timer of a client. */
export interface Canceller {
  readonly timer: SharedTimer
  /** Cancels an execution. The rate limit can delay the cancel request until `deadline`, in monotonic milliseconds. */
  readonly cancel: (id: ExecutionId, deadline: number) => Effect.Effect<unknown, RequestFailure>
}

/** The part of an error that the log line of a failed cancellation contains. */
interface Failure {
  readonly message: string
}

const timeoutFailure = (): Failure => ({ message: "no response arrived before the deadline" })

const withBackgroundLimit = <A, E>(timer: SharedTimer, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Failure> =>
  Effect.flatMap(monotonic.now, (now) => withDeadline(timer, effect, () => now + maxBackgroundMillis, timeoutFailure))

const warn = (text: string, annotations: Record<string, string>): Effect.Effect<void> =>
  runSafely(Effect.annotateLogs(Effect.logWarning(text), annotations))

/** Cancels an execution. Logs a warning if the cancel request fails. */
const cancelOrWarn = (
  { timer, cancel }: Canceller,
  id: ExecutionId,
  idempotencyKey: string | undefined
): Effect.Effect<void> =>
  Effect.flatMap(monotonic.now, (now) => withBackgroundLimit(timer, cancel(id, now + maxBackgroundMillis))).pipe(
    Effect.catchAll(({ message }) => {
      const key = idempotencyKey === undefined ? "" : ` (idempotency key ${idempotencyKey})`
      return warn(
        `Execution ${id}${key} could not be cancelled (${message}). The execution continues and may be charged`,
        idempotencyKey === undefined ? { executionId: id } : { executionId: id, idempotencyKey }
      )
    }),
    Effect.asVoid
  )

/**
 * Runs an effect in a daemon fiber and waits at most `maxInterruptionMillis` for its end. After this time, the effect
 * continues in the background.
 */
const runInBackground = (timer: SharedTimer, effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
    Effect.flatMap(monotonic.now, (now) =>
      // This code runs in an uninterruptible finalizer. `Effect.interruptible` allows `withDeadline` to interrupt the
      // wait for the fiber.
      Effect.ignore(
        withDeadline(timer, Effect.interruptible(Fiber.await(fiber)), () => now + maxInterruptionMillis, timeoutFailure)
      )
    )
  )

/** @internal Cancels an execution if the wait for its result is interrupted. */
export const cancelOnInterrupt = <A, E>(
  canceller: Canceller,
  id: ExecutionId,
  idempotencyKey: string | undefined,
  wait: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.onInterrupt(wait, () => runInBackground(canceller.timer, cancelOrWarn(canceller, id, idempotencyKey)))

/**
 * Stops an interrupted create request before its next attempt. If the API may have processed an earlier attempt, the
 * request continues. Only its response contains the id of the execution to cancel.
 */
class InterruptibleCreate implements AttemptInterceptor {
  private isInterrupted = false
  private readonly tracker = new SubmissionTracker()

  readonly onTransportSend: Effect.Effect<void>
  readonly onSuccess: AttemptInterceptor["onSuccess"]
  readonly beforeRetry: AttemptInterceptor["beforeRetry"]

  constructor(private readonly outer: AttemptInterceptor) {
    this.onTransportSend = Effect.zipRight(
      Effect.sync(() => this.tracker.onTransportSend()),
      outer.onTransportSend
    )
    this.onSuccess = outer.onSuccess
    this.beforeRetry = outer.beforeRetry
  }

  get mayHaveBeenSent(): boolean {
    return this.tracker.isAmbiguous
  }

  interrupt(): void {
    this.isInterrupted = true
  }

  readonly beforeSend = (attempt: AttemptInfo): Effect.Effect<void, InvalidRequest> =>
    Effect.suspend(() => {
      if (this.isInterrupted && !this.mayHaveBeenSent) {
        return invalidRequest(
          "executions.create",
          "request",
          "was interrupted before it was sent",
          "Submit the request again."
        )
      }
      return Effect.map(this.outer.beforeSend(attempt), () => this.tracker.onAttempt())
    })

  readonly onFailure = (attempt: AttemptInfo, error: RequestFailure): Effect.Effect<void> =>
    Effect.zipRight(
      Effect.sync(() => {
        if (wasNotProcessed(error)) this.tracker.onNotProcessed()
      }),
      this.outer.onFailure(attempt, error)
    )
}

/**
 * Runs a create request. If the caller is interrupted after an attempt may have been sent, waits for the response and
 * cancels the execution. If no attempt has been sent, the interruption stops the request.
 *
 * @internal
 */
export const cancelOnInterruptedCreate = <A extends { readonly id: ExecutionId }>(
  canceller: Canceller,
  idempotencyKey: string,
  create: Effect.Effect<A, RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(CurrentAttemptInterceptor, (outer) => {
      const interceptor = new InterruptibleCreate(outer)
      const tracked = Effect.provideService(create, CurrentAttemptInterceptor, interceptor)
      // A failed fiber that is never joined logs its failure. `Effect.exit` prevents this log line.
      return Effect.flatMap(Effect.forkDaemon(Effect.exit(Effect.interruptible(tracked))), (running) =>
        Effect.onInterrupt(Effect.flatten(restore(Fiber.join(running))), () => {
          interceptor.interrupt()
          return interceptor.mayHaveBeenSent
            ? runInBackground(canceller.timer, cancelCreated(canceller, idempotencyKey, interceptor, running))
            : Effect.asVoid(Fiber.interrupt(running))
        })
      )
    })
  )

/**
 * Waits for the response to an interrupted create request and cancels the execution. If the create request fails but
 * the API may have accepted the request, logs a warning.
 */
const cancelCreated = <A extends { readonly id: ExecutionId }>(
  canceller: Canceller,
  idempotencyKey: string,
  interceptor: InterruptibleCreate,
  running: Fiber.RuntimeFiber<Exit.Exit<A, RequestFailure>>
): Effect.Effect<void> =>
  withBackgroundLimit(canceller.timer, Effect.flatten(Fiber.join(running))).pipe(
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Fiber.interrupt(running) : Effect.void)),
    Effect.matchEffect({
      onSuccess: ({ id }) => cancelOrWarn(canceller, id, idempotencyKey),
      onFailure: ({ message }) =>
        interceptor.mayHaveBeenSent
          ? warn(
              `An interrupted create request could not be cancelled (${message}). The execution may have been accepted and may be charged. Find the execution with the idempotency key ${idempotencyKey}`,
              { idempotencyKey }
            )
          : Effect.void
    })
  )
