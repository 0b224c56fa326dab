/**
 * Cancels an execution if the fiber that waits for its result is interrupted. If the create request was not sent, the
 * interruption stops the request. If the request may have been sent, the request continues in the background. The
 * execution is cancelled after the response.
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

/** Maximum time that an interruption waits for the cancel request. */
const maxInterruptionMillis = Duration.toMillis("10 seconds")
/** Maximum duration of a create request or a cancel request in the background. */
const maxBackgroundMillis = Duration.toMillis("5 minutes")

/** @internal The cancel function and the timer of a client. */
export interface Canceller {
  readonly timer: SharedTimer
  /** Cancels an execution. The rate limit can delay the cancel request until `deadline`, in monotonic milliseconds. */
  readonly cancel: (id: ExecutionId, deadline: number) => Effect.Effect<unknown, RequestFailure>
}

/** The part of an error that a warning contains. */
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
 * Runs an effect in a daemon fiber and waits at most `maxInterruptionMillis`. If the effect takes longer, the effect
 * continues in the background.
 */
const runInBackground = (timer: SharedTimer, effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
    Effect.flatMap(monotonic.now, (now) =>
      // A finalizer is uninterruptible, but `withDeadline` must be able to interrupt the wait for the fiber.
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
 * Stops an interrupted create request before its next attempt. Has no effect after the API may have processed an
 * attempt.
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
          "Submit the request again.",
          {
            attempts: attempt.previousAttempts
          }
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
 * Runs a create request. If the request is interrupted after an attempt was sent, waits for the response and cancels
 * the execution.
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
 * Waits for the response to an interrupted create request and cancels the execution. Logs a warning if the request
 * fails and the API may have accepted the request.
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
