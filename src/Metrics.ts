/**
 * The metrics of this library. `Metric.snapshot` and every exporter of Effect metrics include these metrics. The
 * docstring of each constant contains the name and the tags of the metric. To read a metric with tags, add the tags in
 * the documented order.
 *
 * The tag `model` has at most 500 different model names. For every further model, its value is `other`.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * Counts the attempts of requests to the API. The name of the metric is `modelroute_requests_total`. The metric has
 * these tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `outcome`: `ok` or the tag of the error
 * - `model`: the name of the model, if the request or an earlier response contains the name
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.requests.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("outcome", "ok"), Metric.tagged("model", "flux-1.1-pro"))
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
 * Counts the retries of requests. The name of the metric is `modelroute_retries_total`. The metric has these tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `reason`: the tag of the error that caused the retry
 * - `model`: the name of the model, if the request or an earlier response contains the name
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.retries.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("reason", "TransportError"), Metric.tagged("model", "flux-1.1-pro"))
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
 * Measures the waits before requests, in seconds. The name of the metric is `modelroute_wait_seconds`. The metric has
 * these tags:
 *
 * - `operation`: the name of the method, such as `executions.create`
 * - `reason`: the cause of the wait. A wait before a retry has the tag of the error. A wait before a poll has `poll`. A
 *   wait in the queue of the rate limit gate has `gate`.
 * - `model`: the name of the model, if the request or an earlier response contains the name. Absent if `reason` is
 *   `gate`
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.waits.pipe(Metric.tagged("operation", "executions.await"), Metric.tagged("reason", "poll"), Metric.tagged("model", "flux-1.1-pro"))
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
 * Adds up the cost of executions, in dollars. The name of the metric is `modelroute_cost_dollars_total`. The metric has
 * the tag `model`, the name of the model.
 *
 * The cost of an execution is added when `executions.run`, `executions.await` or a batch receives the terminal state
 * with the cost. Each execution is counted once, even if several fibers wait for the execution.
 *
 * The sum is a floating-point number. To add up amounts exactly, use the decimal string `cost` of each execution.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.cost.pipe(Metric.tagged("model", "flux-1.1-pro"))
 *
 * export const program = Effect.flatMap(Metric.value(metric), ({ count }) => Console.log(`$${count.toFixed(2)}`))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const cost: Metric.Metric.Counter<number> = Metric.counter("modelroute_cost_dollars_total", {
  description: "Cost of executions in dollars",
  incremental: true
})

/**
 * Measures the latency of executions, in seconds. The name of the metric is `modelroute_execution_latency_seconds`. The
 * latency is the field `latency` of the execution. If this field is absent, the latency is the time from `createdAt` to
 * `completedAt`.
 *
 * The latency of an execution is recorded when `executions.run`, `executions.await` or a batch receives the terminal
 * state. Each execution is recorded once. The metric has these tags:
 *
 * - `model`: the name of the model
 * - `outcome`: `ok` for a COMPLETED execution, otherwise the tag of the error
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * const metric = Metrics.executionLatency.pipe(Metric.tagged("model", "flux-1.1-pro"), Metric.tagged("outcome", "ok"))
 *
 * export const program = Effect.flatMap(Metric.value(metric), ({ count, sum }) => Console.log(sum / count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const executionLatency: Metric.Metric.Histogram<number> = Metric.histogram(
  "modelroute_execution_latency_seconds",
  MetricBoundaries.fromIterable([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
  "Latency of executions"
)

/**
 * Counts the batches that stopped early because the balance did not cover another execution.
 *
 * The name of the metric is `modelroute_balance_stops_total`. The metric has no tags.
 *
 * @example
 * ```ts
 * import { Console, Effect, Metric } from "effect"
 * import { Metrics } from "effect-modelroute"
 *
 * export const program = Effect.flatMap(Metric.value(Metrics.balanceStops), ({ count }) => Console.log(count))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const balanceStops: Metric.Metric.Counter<number> = Metric.counter("modelroute_balance_stops_total", {
  description: "Batches stopped because the balance is insufficient",
  incremental: true
})

/**
 * Contains the number of requests that currently wait in the queue of a rate limit gate. Includes the requests of all
 * clients in this process.
 *
 * The name of the metric is `modelroute_gate_waiting`. The metric has no tags.
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
 * Contains the number of requests that were sent and have no response yet. Includes the requests of all clients in this
 * process.
 *
 * The name of the metric is `modelroute_gate_in_flight`. The metric has no tags.
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
 * Contains the number of requests that remain in the current window of the rate limit. Each response to a client in
 * this process updates the value.
 *
 * The name of the metric is `modelroute_gate_remaining`. The metric has no tags.
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
 * Counts the requests that the API rejected because of the rate limit. Includes the requests of all clients in this
 * process.
 *
 * The name of the metric is `modelroute_gate_rate_limited_total`. The metric has no tags.
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
