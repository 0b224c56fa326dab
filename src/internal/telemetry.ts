/**
 * What can be seen of a call from outside: one span, one count per request, and no wait without a word about it.
 *
 * @internal
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Duration from "effect/Duration"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
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
import * as monotonic from "./data/monotonic.js"
import { omitUndefined } from "./data/lenient.js"

/** @internal What a span tells of its call when it ends. */
export interface CallStats {
  attempts: number
  executionId?: ExecutionId | undefined
  fileId?: FileId | undefined
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  const failure = Cause.failureOption(exit.cause)
  // The source of an upload and what is run within a call have failures of their own.
  if (Option.isSome(failure)) return isModelRouteError(failure.value) ? failure.value._tag : "CallerFailure"
  return Cause.isInterrupted(exit.cause) ? "interrupted" : "defect"
}

/**
 * Runs loggers and tracers, which are the user's code: what they throw changes neither the result of a call nor the count of permits.
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

const attributesOf =
  (operation: string, stats: CallStats) =>
  (exit: Exit.Exit<unknown, unknown>): Attributes => ({
    "modelroute.operation": operation,
    "modelroute.attempts": stats.attempts,
    "modelroute.outcome": outcomeOf(exit),
    "modelroute.execution_id": stats.executionId,
    "modelroute.file_id": stats.fileId
  })

/** @internal The trace goes on at the API: only where the caller asked for it. */
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

/** @internal One span for one operation, however many requests and waits it takes. */
export const withOperationSpan = <A, E>(
  operation: string,
  stats: CallStats,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> => withSpan(`modelroute.${operation}`, "client", attributesOf(operation, stats), effect)

/** @internal The same for a stream: the span lasts as long as the stream. */
export const withOperationSpanStream = <A, E>(
  operation: string,
  stats: CallStats,
  stream: Stream.Stream<A, E>
): Stream.Stream<A, E> =>
  Stream.unwrapScoped(
    Effect.map(
      Effect.acquireRelease(openSpan(`modelroute.${operation}`, "client"), (span, exit) =>
        span === undefined ? Effect.void : closeSpan(span, exit, attributesOf(operation, stats)(exit))
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

/** Making a tagged metric costs more than counting with it, and there are few: operations times outcomes. */
const makeCounter = (metric: Metric.Metric.Counter<number>, label: string) => {
  const made = new Map<string, Effect.Effect<void>>()
  return (operation: string, value: string): Effect.Effect<void> => {
    const key = `${operation} ${value}`
    const known = made.get(key)
    if (known !== undefined) return known
    const count = Metric.update(withLabels(metric, { operation, [label]: value }), 1)
    made.set(key, count)
    return count
  }
}

/** @internal */
export const countRequest = makeCounter(Metrics.requests, "outcome")

/** @internal */
export const countRetry = makeCounter(Metrics.retries, "reason")

/** From here on a wait is worth a line that is seen without being looked for. */
const infoThresholdMillis = Duration.toMillis("5 seconds")

/** @internal */
export const logWait = (millis: number, text: string): Effect.Effect<void> =>
  millis < infoThresholdMillis ? Effect.logDebug(text) : Effect.logInfo(text)

/** @internal */
export interface WaitReport {
  readonly operation: string
  /** The tag of the error that makes it necessary, or `poll`. */
  readonly reason: string
  readonly millis: number
  /** More about the reason: how the transport failed, or the HTTP status. */
  readonly detail?: string | undefined
  /** The number of the attempt that failed, from 1. */
  readonly attempt?: number | undefined
  readonly idempotencyKey?: string | undefined
  readonly requestId?: string | undefined
  readonly executionId?: string | undefined
}

const annotations = ({ millis, ...rest }: WaitReport): Record<string, unknown> =>
  omitUndefined({ ...rest, waitMillis: millis })

const spanEvent = (attributes: Record<string, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeNanos, (now) =>
    Effect.map(Effect.option(Effect.currentSpan), (span) => {
      if (Option.isSome(span)) span.value.event("modelroute.wait", now, attributes)
    })
  ).pipe(runSafely)

const countWait = (operation: string, reason: string, millis: number): Effect.Effect<void> =>
  Metric.update(withLabels(Metrics.waits, { operation, reason }), millis / 1000)

/**
 * Said before the wait begins: a log line (Debug; Info for retries from 5 s on), a span event, a metric.
 *
 * @internal
 */
export const reportWait = (wait: WaitReport): Effect.Effect<void> => {
  const polling = wait.reason === "poll"
  const text = polling
    ? `Next poll of ${wait.executionId} in ${formatMillis(wait.millis)}`
    : `Waiting ${formatMillis(wait.millis)} before ${wait.operation} is sent again (${wait.reason}${wait.detail === undefined ? "" : `: ${wait.detail}`})`
  const log = logWait(polling ? 0 : wait.millis, text)
  return Effect.all(
    [
      runSafely(Effect.annotateLogs(log, annotations(wait))),
      spanEvent(annotations(wait)),
      countWait(wait.operation, wait.reason, wait.millis)
    ],
    { discard: true }
  )
}

/**
 * A wait for a place under the rate limit: when it has ended, an event on the span and a metric. The log line is the gate's,
 * one for all who wait.
 *
 * @internal
 */
export const measureQueueWait = <A, E, R>(operation: string, wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(monotonic.now, (from) =>
    Effect.ensuring(
      wait,
      Effect.flatMap(monotonic.now, (to) =>
        Effect.zipRight(
          spanEvent({ operation, reason: "gate", waitMillis: to - from }),
          countWait(operation, "gate", to - from)
        )
      )
    )
  )
