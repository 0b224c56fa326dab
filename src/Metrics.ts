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
 * Waits in seconds, tagged `operation` and `reason` (the tag of an error, or `poll`).
 *
 * @since 0.1.0
 * @category models
 */
export const waits: Metric.Metric.Histogram<number> = Metric.histogram(
  "modelroute_wait_seconds",
  MetricBoundaries.fromIterable([0.5, 1, 2, 4, 8, 16, 32, 64, 128]),
  "Waits before another request to ModelRoute"
)
