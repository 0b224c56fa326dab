/**
 * The metrics of this library. `Metric.snapshot` and every exporter of Effect metrics include them. Each constant
 * documents its tags.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * Counts the requests to the API. The metric has two tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `outcome`: `ok` or the tag of the error
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.requests.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("outcome", "ok"))
 *
 * export const program = Effect.flatMap(Metric.value(metric), ({ count }) => Console.log(count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const requests: Metric.Metric.Counter<number> = Metric.counter("modelroute_requests_total", {
  description: "Requests sent to ModelRoute",
  incremental: true
})

/**
 * Counts the retries of requests. The metric has two tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `reason`: the tag of the error that caused the retry
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.retries.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("reason", "TransportError"))
 *
 * export const program = Effect.flatMap(Metric.value(metric), ({ count }) => Console.log(count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const retries: Metric.Metric.Counter<number> = Metric.counter("modelroute_retries_total", {
  description: "Requests retried",
  incremental: true
})

/**
 * Measures the waits before requests, in seconds. The metric has two tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `reason`: the tag of an error, `poll`, or `gate` for a wait in the queue of the gate
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.waits.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("reason", "poll"))
 *
 * export const program = Effect.flatMap(Metric.value(metric), ({ count }) => Console.log(count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const waits: Metric.Metric.Histogram<number> = Metric.histogram(
  "modelroute_wait_seconds",
  MetricBoundaries.fromIterable([0.5, 1, 2, 4, 8, 16, 32, 64, 128]),
  "Waits before another request to ModelRoute"
)

/**
 * Counts the requests that wait in the queue of a rate limit gate. Includes the requests of all clients.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * export const program = Effect.flatMap(Metric.value(Metrics.waiting), (state) => Console.log(state.value))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const waiting: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_waiting", {
  description: "Requests that wait for ModelRoute's rate limit"
})

/**
 * Counts the requests in flight. Includes the requests of all clients.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * export const program = Effect.flatMap(Metric.value(Metrics.inFlight), (state) => Console.log(state.value))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const inFlight: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_in_flight", {
  description: "Requests to ModelRoute without a response yet"
})

/**
 * Contains the number of remaining requests in the current rate limit window. The latest response to any client sets
 * the value.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * export const program = Effect.flatMap(Metric.value(Metrics.remaining), (state) => Console.log(state.value))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const remaining: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_remaining", {
  description: "Requests that remain in the window of ModelRoute's rate limit"
})

/**
 * Counts the requests that the API rejected because of the rate limit. Includes the requests of all clients.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * export const program = Effect.flatMap(Metric.value(Metrics.rateLimited), (state) => Console.log(state.count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const rateLimited: Metric.Metric.Counter<number> = Metric.counter("modelroute_gate_rate_limited_total", {
  description: "Requests that ModelRoute rejected because of the rate limit",
  incremental: true
})
