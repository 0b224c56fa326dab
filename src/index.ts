/**
 * The ModelRoute API as Effect modules. Each module has its own path, such as `effect-modelroute/ModelRouteClient`.
 * An import from that path loads faster.
 *
 * @since 0.1.0
 */

/**
 * Models of API keys.
 *
 * @since 0.1.0
 */
export * as ApiKey from "./ApiKey.js"

/**
 * Batches: thousands of executions that survive a crash.
 *
 * @since 0.1.0
 */
export * as Batch from "./Batch.js"

/**
 * Executions: one paid run of one model, from the request to the result.
 *
 * @since 0.1.0
 */
export * as Execution from "./Execution.js"

/**
 * Models of files, sources of uploads, and the destination of downloads.
 *
 * @since 0.1.0
 */
export * as File from "./File.js"

/**
 * Idempotency keys, which make a create safe to retry.
 *
 * @since 0.1.0
 */
export * as IdempotencyKey from "./IdempotencyKey.js"

/**
 * The metrics of this library.
 *
 * @since 0.1.0
 */
export * as Metrics from "./Metrics.js"

/**
 * The client: the ModelRoute API as an Effect service.
 *
 * @since 0.1.0
 */
export * as ModelRouteClient from "./ModelRouteClient.js"

/**
 * The errors of the API and of the client.
 *
 * @since 0.1.0
 */
export * as ModelRouteError from "./ModelRouteError.js"

/**
 * Admission control for the rate limit of the API.
 *
 * @since 0.1.0
 */
export * as RateLimitGate from "./RateLimitGate.js"

/**
 * When a failed request is retried.
 *
 * @since 0.1.0
 */
export * as RetryPolicy from "./RetryPolicy.js"

/**
 * Receives webhooks: verifies signatures and handles each event once.
 *
 * @since 0.1.0
 */
export * as Webhook from "./Webhook.js"

/**
 * Models of webhook endpoints, the URLs to which the API delivers events.
 *
 * @since 0.1.0
 */
export * as WebhookEndpoint from "./WebhookEndpoint.js"
