/**
 * Receives webhook deliveries, verifies the signature of each delivery and handles each event once. See the API pages
 * "Webhooks overview" and "Verifying webhooks".
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
   * Handles an event. Each call of `onEvent` has its own scope. If the call succeeds, `onEvent` is not called again for
   * the same event. If the call fails, the response is a 500. The API then delivers the event again, up to five times.
   *
   * The API also delivers an event again if no response arrives within 30 seconds. The repeated delivery does not call
   * `onEvent`, but waits for the running call.
   */
  readonly onEvent: (event: Event) => Effect.Effect<void, E, R>
  /**
   * The effect that returns the store of handled events, such as `Webhook.Dedup`. The HTTP app requires the services of
   * this effect. Default: a store in memory that only this handler uses.
   */
  readonly dedup?: Effect.Effect<DedupService, never, RD> | undefined
  /** The maximum size of a request body in bytes. Default: 1 MiB (1,048,576). */
  readonly maxBodySize?: number | undefined
}

/**
 * Creates an HTTP app that receives webhook deliveries, for any server of `@effect/platform`. An `HttpApi` can serve
 * the app beside its endpoints or in the raw handler of an endpoint. Each response has an empty body and one of these
 * statuses:
 *
 * - 200: the event has been handled, either now or earlier
 * - 400: the body is incomplete, or the signature is valid and the body is not a JSON object
 * - 401: the signature is missing or invalid, or the age of the delivery exceeds `tolerance`
 * - 405: the method is not POST
 * - 413: the body is larger than `maxBodySize`
 * - 500: `onEvent` or the store of handled events failed, or `secrets` or `tolerance` is invalid
 *
 * Each event is handled in a separate fiber, so that a closed connection does not interrupt `onEvent`. Create the
 * handler only once, because each handler without `dedup` has its own store of handled events.
 *
 * Logs the reason of each rejected delivery as a warning. Logs a failure of `onEvent` as a warning and a defect as an
 * error. Logs the reason of each 500. No log line contains the content of an event. Each verified delivery has a span
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
 * Passes the execution of an event to the client in the context. If the status is terminal, each `await`, `run` and
 * `watch` of the execution ends immediately. Events can be lost, and the API sends no event for EXPIRED. The client
 * therefore continues to poll with its `pollSchedule`.
 *
 * Only the calls of this client end. To notify another process, encode `event.execution` with the schema
 * `Execution.Execution`. In the other process, decode the execution and pass the execution to `executions.notify`.
 * Otherwise, the calls in the other process end after their next poll.
 *
 * An event can arrive before the response to the create request. If no call waits for the execution, the client
 * therefore keeps the event for the next call. The client keeps the latest event for each of the last 1,000 executions,
 * without large outputs. A repeated or late event has no effect.
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
 * The schedule of the polls for clients that receive webhooks. The first delay is 30 seconds. Each later delay is 1.5
 * times the previous delay, up to 2 minutes. The schedule never ends, so only the `timeout` of a wait limits the number
 * of polls. Set the schedule as the `pollSchedule` of a client or of a single wait.
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
