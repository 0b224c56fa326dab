/**
 * Traces, counts and logs calls: one span for each operation, one count for each request, and one report for each wait.
 *
 * @internal
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { ExecutionId } from "../Execution.js"
import type { FileId } from "../File.js"
import * as Metrics from "../Metrics.js"
import { isModelRouteError } from "../ModelRouteError.js"
import { formatMillis } from "./data/durationText.js"
import { omitUndefined } from "./data/lenient.js"
import * as monotonic from "./data/monotonic.js"

/** @internal The attributes of a call that its span records when it ends. */
export interface CallStats {
  attempts: number
  executionId?: ExecutionId | undefined
  fileId?: FileId | undefined
}

const toOutcome = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  const failure = Cause.failureOption(exit.cause)
  // The source of an upload and the caller's effects have their own failures.
  if (Option.isSome(failure)) return isModelRouteError(failure.value) ? failure.value._tag : "CallerFailure"
  return Cause.isInterrupted(exit.cause) ? "interrupted" : "defect"
}

/**
 * Runs loggers and tracers and ignores their failures. They are the user's code and must not change the result of a call or the count
 * of permits.
 *
 * @internal
 */
export const runSafely = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(effect, () => Effect.void)

type Attributes = { readonly [name: string]: string | number | undefined }

const openSpan = (name: string, kind: Tracer.SpanKind): Effect.Effect<Tracer.Span | undefined> =>
  Effect.catchAllCause(Effect.makeSpan(name, { kind, captureStackTrace: false }), () => Effect.succeed(undefined))

const closeSpan = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>, attributes: Attributes): Effect.Effect<void> =>
  Effect.zipRight(
    runSafely(
      Effect.sync(() => {
        for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(name, value)
      })
    ),
    runSafely(Effect.clockWith((clock) => Effect.sync(() => span.end(clock.unsafeCurrentTimeNanos(), exit))))
  )

/** @internal Runs an effect in a span. `attributesOf` is evaluated when the effect ends. */
export const withSpan = <A, E, R>(
  name: string,
  kind: Tracer.SpanKind,
  attributesOf: (exit: Exit.Exit<A, E>) => Attributes,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(openSpan(name, kind), (span) =>
      span === undefined
        ? restore(effect)
        : Effect.onExit(restore(Effect.provideService(effect, Tracer.ParentSpan, span)), (exit) =>
            closeSpan(span, exit, attributesOf(exit))
          )
    )
  )

const operationAttributes =
  (operation: string, stats: CallStats) =>
  (exit: Exit.Exit<unknown, unknown>): Attributes => ({
    "modelroute.operation": operation,
    "modelroute.attempts": stats.attempts,
    "modelroute.outcome": toOutcome(exit),
    "modelroute.execution_id": stats.executionId,
    "modelroute.file_id": stats.fileId
  })

/** @internal Adds the headers that continue the trace at the API. */
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

/** @internal Runs an operation in one span, whatever the number of its requests and waits. */
export const withOperationSpan = <A, E>(
  operation: string,
  stats: CallStats,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> => withSpan(`modelroute.${operation}`, "client", operationAttributes(operation, stats), effect)

/** @internal Runs a stream in one span, which ends with the stream. */
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

const withLabels = <Type, Out>(
  metric: Metric.Metric<Type, number, Out>,
  labels: { readonly [name: string]: string }
): Metric.Metric<Type, number, Out> =>
  Metric.taggedWithLabels(
    metric,
    Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))
  )

/** Caches the metric of each label, because making a metric costs more than updating it. There are few labels. */
const makeCounter = (metric: Metric.Metric.Counter<number>, label: string) => {
  const cache = new Map<string, Effect.Effect<void>>()
  return (operation: string, value: string): Effect.Effect<void> => {
    const key = `${operation} ${value}`
    const cached = cache.get(key)
    if (cached !== undefined) return cached
    const count = Metric.update(withLabels(metric, { operation, [label]: value }), 1)
    cache.set(key, count)
    return count
  }
}

/** @internal Counts a request. The outcome is `ok` or the tag of the error. */
export const countRequest = makeCounter(Metrics.requests, "outcome")

/** @internal Counts a retry. The reason is the tag of the error. */
export const countRetry = makeCounter(Metrics.retries, "reason")

/** A wait of at least this length is logged at level Info, a shorter one at level Debug. */
const infoThresholdMillis = Duration.toMillis("5 seconds")

/** @internal Logs the start of a wait. */
export const logWait = (millis: number, text: string): Effect.Effect<void> =>
  millis < infoThresholdMillis ? Effect.logDebug(text) : Effect.logInfo(text)

/** @internal A wait that is about to begin. */
export interface WaitReport {
  readonly operation: string
  /** The tag of the error that causes the wait, or `poll`. */
  readonly reason: string
  readonly millis: number
  /** The reason of the transport failure, or the HTTP status. */
  readonly detail?: string | undefined
  /** The number of the failed attempt, counted from 1. */
  readonly attempt?: number | undefined
  readonly idempotencyKey?: string | undefined
  readonly requestId?: string | undefined
  readonly executionId?: string | undefined
}

const toAnnotations = ({ millis, ...rest }: WaitReport): Record<string, unknown> =>
  omitUndefined({ ...rest, waitMillis: millis })

const addSpanEvent = (attributes: Record<string, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeNanos, (now) =>
    Effect.map(Effect.option(Effect.currentSpan), (span) => {
      if (Option.isSome(span)) span.value.event("modelroute.wait", now, attributes)
    })
  ).pipe(runSafely)

const countWait = (operation: string, reason: string, millis: number): Effect.Effect<void> =>
  Metric.update(withLabels(Metrics.waits, { operation, reason }), millis / 1000)

/**
 * Reports a wait before it begins: a log line (Debug, or Info for retries after 5 s or more), a span event and a metric.
 *
 * @internal
 */
export const reportWait = (wait: WaitReport): Effect.Effect<void> => {
  const isPoll = wait.reason === "poll"
  const text = isPoll
    ? `Next poll of ${wait.executionId} in ${formatMillis(wait.millis)}`
    : `Retrying ${wait.operation} in ${formatMillis(wait.millis)} (${wait.reason}${wait.detail === undefined ? "" : `: ${wait.detail}`})`
  const log = logWait(isPoll ? 0 : wait.millis, text)
  return Effect.all(
    [
      runSafely(Effect.annotateLogs(log, toAnnotations(wait))),
      addSpanEvent(toAnnotations(wait)),
      countWait(wait.operation, wait.reason, wait.millis)
    ],
    { discard: true }
  )
}

/**
 * Measures a wait for the rate limit. After the wait it adds a span event and updates a metric. The gate writes the log line, one for
 * all waiting requests.
 *
 * @internal
 */
export const measureQueueWait = <A, E, R>(operation: string, wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(monotonic.now, (startedAt) =>
    Effect.ensuring(
      wait,
      Effect.flatMap(monotonic.now, (endedAt) =>
        Effect.zipRight(
          addSpanEvent({ operation, reason: "gate", waitMillis: endedAt - startedAt }),
          countWait(operation, "gate", endedAt - startedAt)
        )
      )
    )
  )
