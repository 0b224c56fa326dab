/**
 * Records spans and log lines. Each operation has one span. Each wait adds a span event and updates a metric. If the
 * OpenTelemetry semantic conventions define an attribute, the attribute has the name from the conventions. The name of
 * any other attribute starts with `modelroute.`.
 *
 * @internal
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { ExecutionId } from "../Execution.js"
import type { FileId } from "../File.js"
import { isModelRouteError } from "../ModelRouteError.js"
import { formatMillis } from "./data/durationText.js"
import { omitUndefined } from "./data/lenient.js"
import * as monotonic from "./data/monotonic.js"
import { recordWait } from "./metrics.js"

/** @internal The attributes that the span of a call records at the end of the call. */
export interface CallStats {
  attempts: number
  /** The name of the model. `undefined` if neither the request nor a response contains the name. */
  model?: string | undefined
  /** The cost of the execution in dollars, if the execution has ended. */
  cost?: number | undefined
  executionId?: ExecutionId | undefined
  fileId?: FileId | undefined
}

const errorAttributes = (exit: Exit.Exit<unknown, unknown>): Attributes => {
  if (Exit.isSuccess(exit)) return {}
  const failure = Cause.failureOption(exit.cause)
  if (Option.isNone(failure)) return { "error.type": Cause.isInterrupted(exit.cause) ? "interrupted" : "defect" }
  // An upload source or an effect of the caller can fail with an error of another library. Such an error may have no
  // tag.
  if (!isModelRouteError(failure.value)) return { "error.type": "CallerFailure" }
  const { _tag } = failure.value
  const status = "status" in failure.value ? failure.value.status : undefined
  return { "error.type": _tag, "http.response.status_code": status }
}

/**
 * Runs a log or tracer effect, and ignores its failures and defects. A logger or a tracer is user code. Its failure
 * must not change the result of a call or the number of permits.
 *
 * @internal
 */
export const runSafely = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(effect, () => Effect.void)

type Attributes = { readonly [name: string]: string | number | undefined }

const openSpan = (name: string, kind: Tracer.SpanKind): Effect.Effect<Tracer.Span | undefined> =>
  Effect.catchAllCause(Effect.makeSpan(name, { kind, captureStackTrace: false }), () => Effect.succeed(undefined))

/** Calls the tracer and ignores exceptions of the tracer. */
const callTracer = (call: () => void): void => {
  try {
    call()
  } catch {
    // A tracer is the caller's code and must not change the result of a call.
  }
}

const closeSpan = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>, attributes: Attributes): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    callTracer(() => {
      for (const name in attributes) {
        const value = attributes[name]
        if (value !== undefined) span.attribute(name, value)
      }
    })
    callTracer(() => span.end(clock.unsafeCurrentTimeNanos(), exit))
    return Effect.void
  })

/**
 * Runs an effect in a span. When the effect ends, adds the attributes from `attributesOf` to the span. Sets the context
 * of the fiber directly, because `Effect.provideService` would add a second uninterruptible region to every call.
 *
 * @internal
 */
export const withSpan = <A, E, R>(
  name: string,
  kind: Tracer.SpanKind,
  attributesOf: (exit: Exit.Exit<A, E>) => Attributes,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(openSpan(name, kind), (span) => {
      if (span === undefined) return restore(effect)
      return Effect.contextWithEffect((context: Context.Context<never>) => {
        const close = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
          Effect.flatMap(FiberRef.set(FiberRef.currentContext, context), () => {
            return Effect.zipRight(closeSpan(span, exit, attributesOf(exit)), exit)
          })
        return Effect.flatMap(
          FiberRef.set(FiberRef.currentContext, Context.add(context, Tracer.ParentSpan, span)),
          () =>
            Effect.matchCauseEffect(restore(effect), {
              onSuccess: (value) => close(Exit.succeed(value)),
              onFailure: (cause) => close(Exit.failCause(cause))
            })
        )
      })
    })
  )

const operationAttributes =
  (operation: string, stats: CallStats) =>
  (exit: Exit.Exit<unknown, unknown>): Attributes => ({
    "gen_ai.provider.name": stats.model === undefined ? undefined : "modelroute",
    "gen_ai.request.model": stats.model,
    "modelroute.operation": operation,
    "modelroute.attempts": stats.attempts,
    "modelroute.execution_id": stats.executionId,
    "modelroute.file_id": stats.fileId,
    "modelroute.cost_dollars": stats.cost,
    ...errorAttributes(exit)
  })

/** @internal Adds the trace headers of the current span to a request. */
export const addTraceHeaders = (
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientRequest.HttpClientRequest> =>
  Effect.map(
    Effect.option(Effect.currentSpan),
    Option.match({
      onNone: () => request,
      onSome: (span) => HttpClientRequest.setHeaders(request, HttpTraceContext.toHeaders(span))
    })
  )

/** @internal Runs an operation in one span. The span includes all requests and waits of the operation. */
export const withOperationSpan = <A, E>(
  operation: string,
  stats: CallStats,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> => withSpan(`modelroute.${operation}`, "client", operationAttributes(operation, stats), effect)

/** @internal Runs a stream in one span. The span ends when the stream ends. */
export const withOperationSpanStream = <A, E>(
  operation: string,
  stats: CallStats,
  stream: Stream.Stream<A, E>
): Stream.Stream<A, E> =>
  Stream.unwrapScoped(
    Effect.map(
      Effect.acquireRelease(openSpan(`modelroute.${operation}`, "client"), (span, exit) =>
        span === undefined ? Effect.void : closeSpan(span, exit, operationAttributes(operation, stats)(exit))
      ),
      (span) => (span === undefined ? stream : Stream.provideService(stream, Tracer.ParentSpan, span))
    )
  )

/** The minimum length of a wait that is logged at level Info instead of Debug. */
const infoThresholdMillis = Duration.toMillis("5 seconds")

const waitLogLevel = (millis: number): LogLevel.LogLevel =>
  millis < infoThresholdMillis ? LogLevel.Debug : LogLevel.Info

/** @internal Logs a text about a wait. The level is Info if the wait lasts 5 seconds or more, and otherwise Debug. */
export const logWait = (millis: number, text: string): Effect.Effect<void> =>
  Effect.logWithLevel(waitLogLevel(millis), text)

/** @internal A wait for a retry, a poll or the gate. */
export interface WaitReport {
  readonly operation: string
  /** The tag of the error that causes a retry, or `poll` or `gate`. */
  readonly reason: string
  readonly millis: number
  /** The reason of a `TransportError`, or the HTTP status of any other error. */
  readonly detail?: string | undefined
  /** The number of the failed attempt, counted from 1. */
  readonly attempt?: number | undefined
  readonly idempotencyKey?: string | undefined
  readonly requestId?: string | undefined
  readonly executionId?: string | undefined
  readonly model?: string | undefined
}

/** Returns the attributes of a wait, for its log line and its span event. */
const waitAttributes = (wait: WaitReport): Record<string, unknown> =>
  omitUndefined({
    "gen_ai.request.model": wait.model,
    "modelroute.operation": wait.operation,
    "modelroute.wait.reason": wait.reason,
    "modelroute.wait.detail": wait.detail,
    "modelroute.wait.duration_ms": wait.millis,
    "modelroute.attempt": wait.attempt,
    "modelroute.idempotency_key": wait.idempotencyKey,
    "modelroute.request_id": wait.requestId,
    "modelroute.execution_id": wait.executionId
  })

const addSpanEvent = (attributes: Record<string, unknown>): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    const span = Context.getOption(fiber.currentContext, Tracer.ParentSpan)
    if (Option.isSome(span) && span.value._tag === "Span") {
      const { value } = span
      callTracer(() => value.event("modelroute.wait", monotonic.clockOf(fiber).unsafeCurrentTimeNanos(), attributes))
    }
    return Effect.void
  })

/**
 * Logs a text with annotations. Does nothing if the level is disabled, because each annotation would copy fiber
 * references.
 */
const logAnnotated = (
  level: LogLevel.LogLevel,
  text: string,
  annotations: Record<string, unknown>
): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) =>
    LogLevel.lessThan(level, fiber.getFiberRef(FiberRef.currentMinimumLogLevel))
      ? Effect.void
      : runSafely(Effect.annotateLogs(Effect.logWithLevel(level, text), annotations))
  )

/**
 * Reports a wait before the wait begins. Writes a log line, adds a span event and updates a metric. The log level is
 * Info for a retry after 5 seconds or more, and otherwise Debug.
 *
 * @internal
 */
export const reportWait = (wait: WaitReport): Effect.Effect<void> => {
  const isPoll = wait.reason === "poll"
  const text = isPoll
    ? `Next poll of ${wait.executionId} in ${formatMillis(wait.millis)}`
    : `Retrying ${wait.operation} in ${formatMillis(wait.millis)} (${wait.reason}${wait.detail === undefined ? "" : `: ${wait.detail}`})`
  const attributes = waitAttributes(wait)
  return logAnnotated(waitLogLevel(isPoll ? 0 : wait.millis), text, attributes).pipe(
    Effect.zipRight(addSpanEvent(attributes)),
    Effect.zipRight(recordWait(wait.operation, wait.reason, wait.model, wait.millis))
  )
}

/**
 * Runs a wait in the queue of the gate and measures its duration. Adds a span event and updates a metric after the
 * wait. Writes no log line, because the gate writes one line for all waiting requests.
 *
 * @internal
 */
export const measureQueueWait = <A, E, R>(operation: string, wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(monotonic.now, (startedAt) =>
    Effect.ensuring(
      wait,
      Effect.flatMap(monotonic.now, (endedAt) =>
        Effect.zipRight(
          addSpanEvent(waitAttributes({ operation, reason: "gate", millis: endedAt - startedAt })),
          recordWait(operation, "gate", undefined, endedAt - startedAt)
        )
      )
    )
  )
