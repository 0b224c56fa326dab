/**
 * @since 0.1.0
 */
export * as Execution from "./Execution.js"
export * as File from "./File.js"
export * as IdempotencyKey from "./IdempotencyKey.js"
export * as Metrics from "./Metrics.js"
export * as ModelRouteClient from "./ModelRouteClient.js"
export * as ModelRouteError from "./ModelRouteError.js"
export * as RetryPolicy from "./RetryPolicy.js"
