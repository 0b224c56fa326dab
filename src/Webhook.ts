/**
 * Receives webhooks, verifies the signature of each delivery and handles each event once. See the API pages "Webhooks
 * overview" and "Verifying webhooks".
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Execution from "./Execution.js"
import { ModelRouteClient } from "./ModelRouteClient.js"
import { checkAll, checksOf, orThrow } from "./internal/errors/optionChecks.js"
import { makeInMemory } from "./internal/webhooks/dedupLayer.js"
import type { DedupService } from "./internal/webhooks/dedupService.js"
import { WebhookRejected } from "./internal/webhooks/delivery.js"
import type { Event } from "./internal/webhooks/event.js"
import * as internal from "./internal/webhooks/handler.js"
import { tooLarge } from "./internal/webhooks/signatureCheck.js"
import { readSecrets, verify, type VerifyOptions } from "./internal/webhooks/verify.js"

export { layerDedup, layerDedupMemory } from "./internal/webhooks/dedupLayer.js"
export { Dedup, type DedupService, type StoredDedupOptions } from "./internal/webhooks/dedupService.js"
export { type Delivery, RejectionReason, WebhookRejected } from "./internal/webhooks/delivery.js"
export { Event, EventId } from "./internal/webhooks/event.js"
export { EventType } from "./internal/webhooks/eventType.js"
export {
  type Secrets,
  sign,
  type SignatureHeaders,
  type SignOptions,
  verify,
  type VerifyOptions
} from "./internal/webhooks/verify.js"

/**
 * Options of `handler`.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandlerOptions<E, R, RD = never> extends VerifyOptions {
  /**
   * Handles an event. Each call has its own scope. After a success, the handler does not run again for the same event.
   * After a failure or a defect, the API delivers the event again, up to five times.
   *
   * The API also repeats a delivery without a response within 30 seconds. A repeated delivery waits for the running
   * handler.
   */
  readonly onEvent: (event: Event) => Effect.Effect<void, E, R>
  /**
   * The store of handled events, such as `Webhook.Dedup`. The app requires the services of this effect. Default: a
   * store in memory for this handler only.
   */
  readonly dedup?: Effect.Effect<DedupService, never, RD> | undefined
  /** The maximum size of a request body in bytes. Default: 1 MiB (1,048,576). */
  readonly maxBodySize?: number | undefined
}

/**
 * Creates an HTTP app that receives deliveries, for any server of `@effect/platform`. An `HttpApi` can serve the app
 * beside its endpoints or in the raw handler of an endpoint. Each response has an empty body and one of these statuses:
 *
 * - 200: the event has been handled, either now or earlier
 * - 400: the body is incomplete, or the signature is valid and the body is not a JSON object
 * - 401: the signature is missing or invalid, or the age of the delivery exceeds `tolerance`
 * - 405: the method is not POST
 * - 413: the body is larger than `maxBodySize`
 * - 500: `onEvent` or the store of handled events failed, or `secrets` or `tolerance` is invalid
 *
 * Each event is handled in a separate fiber, so that a disconnect of the sender does not interrupt the handler. Create
 * the handler only once. Without `dedup`, each handler has its own store of handled events.
 *
 * Logs a rejected delivery as a warning, with only the reason. Logs a failure of `onEvent` as a warning and a defect as
 * an error, without the content of the event. Logs the reason of each 500. Each verified delivery has a span
 * `modelroute.webhook.receive`.
 *
 * Throws `InvalidRequest` if `onEvent` or `maxBodySize` is invalid.
 *
 * @example
 * ```ts
 * import { HttpRouter } from "@effect/platform"
 * import { Effect, Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * export const router = HttpRouter.empty.pipe(
 *   HttpRouter.post(
 *     "/webhooks/modelroute",
 *     Webhook.handler({
 *       secrets: Redacted.make("whsec_…"),
 *       onEvent: (event) => Effect.log(event.type, event.execution?.status)
 *     })
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const handler = <E, R, RD = never>(
  options: HandlerOptions<E, R, RD>
): HttpApp.Default<never, Exclude<R, Scope.Scope> | RD> => {
  const maxBodyBytes = options.maxBodySize ?? 1024 * 1024
  const checks = checksOf("Webhook.handler")
  orThrow(checkAll([checks.function("onEvent", options.onEvent), checks.wholeNumber("maxBodySize", maxBodyBytes, 1)]))
  return internal.make({
    maxBodyBytes,
    tooLarge: new WebhookRejected(tooLarge(maxBodyBytes)),
    verify: (delivery) => verify(delivery, options),
    dedup: options.dedup ?? Effect.succeed(makeInMemory()),
    onEvent: options.onEvent,
    secrets: Either.getOrElse(readSecrets("Webhook.handler", "secrets", options.secrets), () => [])
  })
}

/**
 * Passes the execution of an event to the client in the context. A terminal status immediately ends each `await`, `run`
 * and `watch` of the execution.
 *
 * Ends only the waits of this client. To notify another process, encode `event.execution` with the schema
 * `Execution.Execution`. In the other process, decode the execution and pass the execution to `executions.notify`.
 * Without a notification, the next poll returns the state.
 *
 * If no wait for the execution is running, the client keeps the event for the next wait. An event may arrive before the
 * response to the create request. The client keeps the latest event of each of the last 1000 executions, without large
 * outputs. A repeated or late event has no effect.
 *
 * The client continues to poll with its `pollSchedule`. The API sends no event for EXPIRED, and events can be lost.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * export const app = Webhook.handler({
 *   secrets: Redacted.make("whsec_…"),
 *   onEvent: Webhook.notifyClient
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const notifyClient = (event: Event): Effect.Effect<void, never, ModelRouteClient> =>
  Effect.flatMap(ModelRouteClient, ({ executions }) =>
    event.execution === undefined ? Effect.void : executions.notify(event.execution)
  )

/**
 * The poll schedule for clients that receive webhooks. The first delay is 30 seconds. Each later delay is 1.5 times the
 * previous delay. The maximum delay is 2 minutes. The schedule never ends. Use the schedule as the `pollSchedule` of a
 * client or of a single wait.
 *
 * @example
 * ```ts
 * import { ModelRouteClient, Webhook } from "effect-modelroute"
 *
 * export const ClientLive = ModelRouteClient.layerConfig({ pollSchedule: Webhook.pollSchedule })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const pollSchedule: Schedule.Schedule<unknown, Execution.Execution> = Schedule.exponential(
  "30 seconds",
  1.5
).pipe(Schedule.modifyDelay((_, delay) => Duration.min(delay, Duration.minutes(2))))
