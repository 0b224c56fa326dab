/**
 * What this library counts. Any exporter that reads Effect's metrics has them.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * Requests sent, tagged `operation` (such as `executions.create`) and `outcome` (`ok`, or the tag of the error).
 *
 * @since 0.1.0
 * @category models
 */
export const requests: Metric.Metric.Counter<number> = Metric.counter("modelroute_requests_total", {
  description: "Requests sent to ModelRoute",
  incremental: true
})

/**
 * Requests sent again, tagged `operation` and `reason` (the tag of the error that made it necessary).
 *
 * @since 0.1.0
 * @category models
 */
export const retries: Metric.Metric.Counter<number> = Metric.counter("modelroute_retries_total", {
  description: "Requests sent to ModelRoute again",
  incremental: true
})

/**
 * Waits in seconds, tagged `operation` and `reason` (the tag of an error, `poll`, or `gate`: for a place under the rate limit).
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
 * Requests that wait for a place under the rate limit, in all clients together.
 *
 * @since 0.1.0
 * @category models
 */
export const waiting: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_waiting", {
  description: "Requests that wait for a place under ModelRoute's rate limit"
})

/**
 * Requests sent whose answer has not arrived, in all clients together.
 *
 * @since 0.1.0
 * @category models
 */
export const inFlight: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_in_flight", {
  description: "Requests to ModelRoute that wait for their answer"
})

/**
 * Requests left in the window of the rate limit, as the last answer of any client left it.
 *
 * @since 0.1.0
 * @category models
 */
export const remaining: Metric.Metric.Gauge<number> = Metric.gauge("modelroute_gate_remaining", {
  description: "Requests left in the window of ModelRoute's rate limit"
})

/**
 * Requests that the API refused for the rate limit.
 *
 * @since 0.1.0
 * @category models
 */
export const rateLimited: Metric.Metric.Counter<number> = Metric.counter("modelroute_gate_rate_limited_total", {
  description: "Requests that ModelRoute refused for the rate limit",
  incremental: true
})
