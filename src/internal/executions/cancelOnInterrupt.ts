/**
 * Cancels an execution when the fiber that waits for it is interrupted. A create that has not been sent is not sent any more; one that
 * may have been sent goes on in the background until its execution is known and cancelled.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ExecutionId } from "../../Execution.js"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { Alarm } from "../http/sharedTimer.js"
import { type AttemptInfo, type AttemptInterceptor, CurrentAttemptInterceptor } from "../http/attemptInterceptor.js"
import { invalid } from "../errors/invalidRequest.js"
import * as monotonic from "../data/monotonic.js"
import { wasNotProcessed } from "../errors/semantics.js"
import { safely } from "../telemetry.js"
import { within } from "../http/attemptTimeout.js"
import { SubmissionTracker } from "./submissionTracker.js"

/** How long an interruption waits for the cancel. */
const interruptionMillis = 10_000
/** How long a create, and then the cancel, may go on in the background. */
const backgroundMillis = 300_000

/** @internal */
export interface Canceller {
  readonly alarm: Alarm
  /** Cancels an execution. `deadline` is for the rate limit, in monotonic milliseconds. */
  readonly cancel: (id: ExecutionId, deadline: number) => Effect.Effect<unknown, RequestFailure>
}

interface Failure {
  readonly message: string
}

const tooSlow = (): Failure => ({ message: "there was no response in time" })

const limited = <A, E>(alarm: Alarm, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Failure> =>
  Effect.flatMap(monotonic.now, (now) => within(alarm, effect, () => now + backgroundMillis, tooSlow))

const warn = (text: string, annotations: Record<string, string>): Effect.Effect<void> =>
  safely(Effect.annotateLogs(Effect.logWarning(text), annotations))

const cancelOrWarn = (
  { alarm, cancel }: Canceller,
  id: ExecutionId,
  idempotencyKey: string | undefined
): Effect.Effect<void> =>
  Effect.flatMap(monotonic.now, (now) => limited(alarm, cancel(id, now + backgroundMillis))).pipe(
    Effect.catchAll(({ message }) => {
      const key = idempotencyKey === undefined ? "" : ` (idempotency key ${idempotencyKey})`
      return warn(
        `Execution ${id}${key} keeps running and may be charged: it could not be cancelled (${message})`,
        idempotencyKey === undefined ? { executionId: id } : { executionId: id, idempotencyKey }
      )
    }),
    Effect.asVoid
  )

/** Goes on in the background if it takes longer than an interruption may take. */
const inBackground = (alarm: Alarm, effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
    Effect.flatMap(monotonic.now, (now) =>
      // A finalizer is not interruptible, but the fiber that awaits the other one has to be.
      Effect.ignore(within(alarm, Effect.interruptible(Fiber.await(fiber)), () => now + interruptionMillis, tooSlow))
    )
  )

/** @internal The wait for an execution, which is cancelled if the wait is interrupted. */
export const cancelOnInterrupt = <A, E>(
  canceller: Canceller,
  id: ExecutionId,
  idempotencyKey: string | undefined,
  wait: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.onInterrupt(wait, () => inBackground(canceller.alarm, cancelOrWarn(canceller, id, idempotencyKey)))

/** Stops a create that has not been sent when it is interrupted. */
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
        return invalid("executions.create", "request", "was interrupted before it was sent", "Submit it again.", {
          attempts: attempt.previousAttempts
        })
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

/** @internal The create of an execution, which is cancelled if the create is interrupted after it may have been sent. */
export const cancelOnInterruptedCreate = <A extends { readonly id: ExecutionId }>(
  canceller: Canceller,
  idempotencyKey: string,
  create: Effect.Effect<A, RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(CurrentAttemptInterceptor, (outer) => {
      const interceptor = new InterruptibleCreate(outer)
      const tracked = Effect.provideService(create, CurrentAttemptInterceptor, interceptor)
      // As an `Exit`, because a fiber that fails and that nobody joins logs its failure.
      return Effect.flatMap(Effect.forkDaemon(Effect.exit(Effect.interruptible(tracked))), (running) =>
        Effect.onInterrupt(Effect.flatten(restore(Fiber.join(running))), () => {
          interceptor.interrupt()
          return interceptor.mayHaveBeenSent
            ? inBackground(canceller.alarm, abandon(canceller, idempotencyKey, interceptor, running))
            : Effect.asVoid(Fiber.interrupt(running))
        })
      )
    })
  )

const abandon = <A extends { readonly id: ExecutionId }>(
  canceller: Canceller,
  idempotencyKey: string,
  interceptor: InterruptibleCreate,
  running: Fiber.RuntimeFiber<Exit.Exit<A, RequestFailure>>
): Effect.Effect<void> =>
  limited(canceller.alarm, Effect.flatten(Fiber.join(running))).pipe(
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Fiber.interrupt(running) : Effect.void)),
    Effect.matchEffect({
      onSuccess: ({ id }) => cancelOrWarn(canceller, id, idempotencyKey),
      onFailure: ({ message }) =>
        interceptor.mayHaveBeenSent
          ? warn(
              `An interrupted create may have been accepted and may be charged: its execution could not be cancelled (${message}). Find it with the idempotency key ${idempotencyKey}`,
              { idempotencyKey }
            )
          : Effect.void
    })
  )
