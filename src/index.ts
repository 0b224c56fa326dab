/**
 * The modules of the ModelRoute client. Each module also has its own import path, such as
 * `effect-modelroute/ModelRouteClient`. An import from the path of a module is faster than an import from
 * `effect-modelroute`.
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
 * Runs batches of thousands of executions. After a crash, a new run continues the batch.
 *
 * @since 0.1.0
 */
export * as Batch from "./Batch.js"

/**
 * Models of executions. An execution is one paid run of a model.
 *
 * @since 0.1.0
 */
export * as Execution from "./Execution.js"

/**
 * Models of files, upload sources and downloads.
 *
 * @since 0.1.0
 */
export * as File from "./File.js"

/**
 * Services that create idempotency keys. An idempotency key makes a create request safe to retry.
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
 * Typed models. A typed model consists of the slug of a model and of the schemas of its input and output.
 *
 * @since 0.1.0
 */
export * as Model from "./Model.js"

/**
 * The client of the ModelRoute API, as an Effect service.
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
 * Controls when requests are sent, so that clients respect the rate limit of the API.
 *
 * @since 0.1.0
 */
export * as RateLimitGate from "./RateLimitGate.js"

/**
 * Policies for the retries of failed requests.
 *
 * @since 0.1.0
 */
export * as RetryPolicy from "./RetryPolicy.js"

/**
 * Receives webhooks, verifies their signatures and handles each event once.
 *
 * @since 0.1.0
 */
export * as Webhook from "./Webhook.js"

/**
 * Models of webhook endpoints. The API delivers events to these endpoints.
 *
 * @since 0.1.0
 */
export * as WebhookEndpoint from "./WebhookEndpoint.js"
