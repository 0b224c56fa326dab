/**
 * ModelRoute for Effect. Each module has a path of its own, too: `effect-modelroute/ModelRouteClient`.
 *
 * @since 0.1.0
 */

/**
 * API keys, as far as the API lets them be managed.
 *
 * @since 0.1.0
 */
export * as ApiKey from "./ApiKey.js"

/**
 * Batches of executions that can be killed.
 *
 * @since 0.1.0
 */
export * as Batch from "./Batch.js"

/**
 * Executions: one paid run of one model, from the request to its result.
 *
 * @since 0.1.0
 */
export * as Execution from "./Execution.js"

/**
 * Files: what goes into an execution and what comes out of it.
 *
 * @since 0.1.0
 */
export * as File from "./File.js"

/**
 * The keys that make a create safe to repeat, and where they come from.
 *
 * @since 0.1.0
 */
export * as IdempotencyKey from "./IdempotencyKey.js"

/**
 * What this library counts.
 *
 * @since 0.1.0
 */
export * as Metrics from "./Metrics.js"

/**
 * The client: ModelRoute as an Effect service.
 *
 * @since 0.1.0
 */
export * as ModelRouteClient from "./ModelRouteClient.js"

/**
 * Everything that a call can fail with.
 *
 * @since 0.1.0
 */
export * as ModelRouteError from "./ModelRouteError.js"

/**
 * The gate before the rate limit.
 *
 * @since 0.1.0
 */
export * as RateLimitGate from "./RateLimitGate.js"

/**
 * When a failed request is sent again.
 *
 * @since 0.1.0
 */
export * as RetryPolicy from "./RetryPolicy.js"

/**
 * Webhooks, on the receiving side: is it genuine, what does it tell, was it handled before.
 *
 * @since 0.1.0
 */
export * as Webhook from "./Webhook.js"

/**
 * Where the API delivers webhooks to.
 *
 * @since 0.1.0
 */
export * as WebhookEndpoint from "./WebhookEndpoint.js"
