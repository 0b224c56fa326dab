/**
 * Receiving webhooks: deliveries are verified before anything in them is believed, and each event is handled once, however
 * often it is delivered.
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
import { all, checksOf, orThrow } from "./internal/errors/optionChecks.js"
import { type DedupService, ttlOf, inMemory } from "./internal/webhooks/dedupService.js"
import { WebhookRejected } from "./internal/webhooks/delivery.js"
import type { Event } from "./internal/webhooks/event.js"
import * as receiver from "./internal/webhooks/handler.js"
import * as check from "./internal/webhooks/signatureCheck.js"
import { type VerifyOptions, secretsOf, verify } from "./internal/webhooks/verify.js"

export {
  Dedup,
  layerDedup,
  layerDedupMemory,
  type DedupOptions,
  type DedupService,
  type StoredDedupOptions
} from "./internal/webhooks/dedupService.js"
export { type Delivery, RejectionReason, WebhookRejected } from "./internal/webhooks/delivery.js"
export { Event, EventId } from "./internal/webhooks/event.js"
export { EventType } from "./internal/webhooks/eventType.js"
export {
  sign,
  type SignatureHeaders,
  type SignOptions,
  type Secrets,
  verify,
  type VerifyOptions
} from "./internal/webhooks/verify.js"

/**
 * How deliveries are received.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandlerOptions<E, R, RD = never> extends VerifyOptions {
  /**
   * What to do about an event, in a scope of its own. Once it has succeeded, no other delivery of this event comes here. After a
   * failure or defect the API delivers the event again, up to five times. The API waits 30 seconds for the answer and then
   * delivers again, too; that delivery waits for this same handling.
   */
  readonly onEvent: (event: Event) => Effect.Effect<void, E, R>
  /**
   * The memory of handled events: `Webhook.Dedup`, which the app then requires. Default: one of this handler's own, which lasts as
   * long as the handler.
   */
  readonly dedup?: Effect.Effect<DedupService, never, RD> | undefined
  /** The largest body that is read, in bytes. Default 1 MiB. */
  readonly maxBodySize?: number | undefined
}

/**
 * Receives deliveries: an app for any server of `@effect/platform`. Answers, always with an empty body:
 *
 * - 200: the event has been handled, now or before
 * - 400: genuine, but no event
 * - 401: not genuine, or too old
 * - 405: not a POST
 * - 413: larger than `maxBodySize`
 * - 500: `onEvent` or the memory of handled events failed, or a secret is empty; the log says which
 *
 * An event is handled in a fiber of its own: a sender that hangs up stops neither the handling nor its being remembered. Make the
 * handler once: without `dedup`, another one would know nothing of what this one has handled.
 *
 * A refused delivery is logged as a warning, by its reason alone; an event that was not handled as a warning or, after a defect,
 * as an error, without anything that the event is about. Each verified delivery has a span `modelroute.webhook.receive`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const handler = <E, R, RD = never>(
  options: HandlerOptions<E, R, RD>
): HttpApp.Default<never, Exclude<R, Scope.Scope> | RD> => {
  const maxBodySize = options.maxBodySize ?? 1024 * 1024
  const checks = checksOf("Webhook.handler")
  orThrow(all([checks.function("onEvent", options.onEvent), checks.wholeNumber("maxBodySize", maxBodySize, 1)]))
  return receiver.make({
    maxBodySize,
    tooLarge: new WebhookRejected(check.tooLarge(maxBodySize)),
    verify: (delivery) => verify(delivery, options),
    dedup: options.dedup ?? Effect.succeed(inMemory(ttlOf({}))),
    onEvent: options.onEvent,
    secrets: Either.getOrElse(secretsOf("Webhook.handler", "secrets", options.secrets), () => [])
  })
}

/**
 * Tells the client in the context how the execution of an event stands, which ends its `await`, `run` and `watch` at once:
 * `Webhook.handler({ secrets, onEvent: Webhook.notifyClient })`. An event that arrives before somebody waits is kept for the next one
 * who does (the newest 1000, and no large output); one that arrives twice or too late changes nothing. There is no event for
 * EXPIRED, and events can be lost, so the client still looks, as its `pollSchedule` says.
 *
 * @since 0.1.0
 * @category combinators
 */
export const notifyClient = (event: Event): Effect.Effect<void, never, ModelRouteClient> =>
  Effect.flatMap(ModelRouteClient, ({ executions }) =>
    event.execution === undefined ? Effect.void : executions.notify(event.execution)
  )

/**
 * When to look at an execution whose end a webhook is expected to tell: first after 30 seconds, then each time 1.5 times later, at
 * most 2 minutes apart, without an end of its own. For the client's `pollSchedule`, or that of one wait.
 *
 * @since 0.1.0
 * @category models
 */
export const pollSchedule: Schedule.Schedule<unknown, Execution.Execution> = Schedule.exponential(
  "30 seconds",
  1.5
).pipe(Schedule.modifyDelay((_, delay) => Duration.min(delay, Duration.minutes(2))))
