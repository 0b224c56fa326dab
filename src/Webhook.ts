/**
 * Receiving webhooks: deliveries are verified before anything in them is believed, and each event is handled once, however
 * often it is delivered.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Execution from "./Execution.js"
import { invalid } from "./internal/errors/invalidRequest.js"
import { all, checksOf, orThrow } from "./internal/errors/optionChecks.js"
import * as signature from "./internal/webhooks/signature.js"
import { Attributes, tolerant } from "./internal/data/lenient.js"
import * as check from "./internal/webhooks/signatureCheck.js"
import * as json from "./internal/webhooks/event.js"
import { sha256Hex } from "./internal/data/sha256.js"
import { Memory } from "./internal/webhooks/dedupMemory.js"
import * as once from "./internal/webhooks/dedup.js"
import * as receiver from "./internal/webhooks/handler.js"
import * as store from "./internal/webhooks/dedupKeyValueStore.js"
import { ModelRouteClient } from "./ModelRouteClient.js"
import type { InvalidRequest } from "./ModelRouteError.js"

/**
 * The id of an event, `evt_…`: opaque, and the same in every delivery of the event. An event that came without one has the
 * SHA-256 of its body in its place, `sha256_…`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/EventId"))

/**
 * The id of an event.
 *
 * @since 0.1.0
 * @category models
 */
export type EventId = typeof EventId.Type

/**
 * What an event is about (API page "Webhooks overview"). The set is open, and there is no event for EXPIRED: decide by
 * `execution.status`. An event that came without a type is `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export type EventType =
  "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled" | (string & {})

/**
 * Any event type, known or not.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventType: Schema.Schema<EventType> = Schema.String

/**
 * An event out of a verified delivery. Only `id` and `type` are certain. Events may arrive in any order: an execution with a
 * terminal status never changes again, whatever arrives after it.
 *
 * @since 0.1.0
 * @category models
 */
export class Event extends Schema.Class<Event>("effect-modelroute/WebhookEvent")({
  id: EventId,
  type: EventType,
  timestamp: tolerant(Schema.DateTimeUtc, "timestamp"),
  version: tolerant(Schema.String, "version"),
  organizationId: tolerant(Schema.String, "organization_id"),
  executionId: tolerant(Execution.ExecutionId, "execution_id"),
  /** The execution as `data` tells of it, without what the API left out of the event. */
  execution: tolerant(Execution.Execution, "execution"),
  /** As it came. */
  data: tolerant(Schema.Unknown, "data"),
  /** Fields of the event that this version does not know. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}) {}

/**
 * Why a delivery was refused: no signature, no timestamp in whole seconds, signed longer ago (or later) than the tolerance,
 * signed by somebody else or changed on the way, signed but no JSON object, larger than the limit.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RejectionReason = Schema.Literal(
  "signature-missing",
  "timestamp-missing",
  "stale",
  "signature-mismatch",
  "malformed",
  "too-large"
)

/**
 * Why a delivery was refused.
 *
 * @since 0.1.0
 * @category models
 */
export type RejectionReason = typeof RejectionReason.Type

/**
 * A delivery that is not to be believed, or not to be read. It shows nothing of what was delivered.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookRejected extends Schema.TaggedError<WebhookRejected>("effect-modelroute/WebhookRejected")(
  "WebhookRejected",
  {
    /** A sentence for the log: what is wrong, and what to do if the delivery was ModelRoute's after all. */
    message: Schema.String,
    reason: RejectionReason
  }
) {}

/**
 * A delivery as a server got it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  /** The body as it arrived, byte for byte: JSON that was parsed and written again has another signature. */
  readonly body: Uint8Array | string
  /** By their names in any case. A header that arrived more than once is not believed. */
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
}

/**
 * The secret of a webhook endpoint, whole with its `whsec_`; or several, for several endpoints or while one takes the place of
 * another.
 *
 * @since 0.1.0
 * @category models
 */
export type Secrets = Redacted.Redacted | NonEmptyReadonlyArray<Redacted.Redacted>

/**
 * What a delivery has to satisfy.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyOptions {
  /** A delivery that any one of them has signed is genuine. */
  readonly secrets: Secrets
  /**
   * How far the time of signing may lie from the present, before or after it. Default 5 minutes, the API's advice. Whether the
   * API signs anew what it delivers again is not documented: should its later attempts come out as "stale", allow 1 day.
   */
  readonly tolerance?: Duration.DurationInput | undefined
}

const isList = <A>(u: A | ReadonlyArray<A>): u is ReadonlyArray<A> => Array.isArray(u)

const secretsOf = (
  operation: string,
  field: string,
  secrets: Redacted.Redacted | ReadonlyArray<Redacted.Redacted>
): Either.Either<ReadonlyArray<string>, InvalidRequest> => {
  const list = isList(secrets) ? secrets : [secrets]
  const cure = "Give the endpoint's secret, whsec_…, as it was shown when it was registered."
  const wrong = (problem: string) => Either.left(invalid(operation, field, problem, cure))
  return Either.gen(function* () {
    if (list.length === 0) return yield* wrong("is an empty list")
    for (const secret of list) yield* checksOf(operation).redacted(field, secret)
    const texts = list.map((secret) => Redacted.value(secret))
    return texts.some((text) => text.trim() === "") ? yield* wrong("is empty") : texts
  })
}

const verifyOperation = "Webhook.verify"

/**
 * The event of a delivery that ModelRoute has signed within the tolerance, on Effect's `Clock`. Fails with `WebhookRejected`
 * for every other delivery, and with `InvalidRequest` when a secret is empty or the body was parsed before. Says nothing about whether the event has been
 * handled before: see `Dedup`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const verify = (
  delivery: Delivery,
  options: VerifyOptions
): Effect.Effect<Event, WebhookRejected | InvalidRequest> =>
  Effect.gen(function* () {
    const secrets = yield* secretsOf(verifyOperation, "secrets", options.secrets)
    if (typeof delivery.body !== "string" && !(delivery.body instanceof Uint8Array)) {
      return yield* invalid(
        verifyOperation,
        "body",
        "is neither bytes nor text",
        "Give the body as it arrived, unparsed."
      )
    }
    const body = check.bytesOf(delivery.body)
    const tolerance = yield* checksOf(verifyOperation).duration("tolerance", options.tolerance ?? "5 minutes", "zero")
    const refusal = yield* check.refusal(delivery, body, secrets, tolerance)
    if (refusal !== undefined) return yield* new WebhookRejected(refusal)
    const event = json.parse(body)
    if (event === undefined) return yield* new WebhookRejected(check.malformed)
    const id = json.idOf(event) ?? `sha256_${sha256Hex(body)}`
    return new Event({ id: EventId.make(id), ...json.fieldsOf(event) })
  })

/**
 * What to sign.
 *
 * @since 0.1.0
 * @category models
 */
export interface SignOptions {
  readonly body: Uint8Array | string
  readonly secret: Redacted.Redacted
  /** Whole seconds since 1970. Default: now, on Effect's `Clock`. */
  readonly timestamp?: number | undefined
}

/**
 * The two headers that make a delivery genuine, for any HTTP client.
 *
 * @since 0.1.0
 * @category models
 */
export type SignatureHeaders = {
  readonly "x-signature": string
  readonly "x-signature-timestamp": string
}

const signOperation = "Webhook.sign"

/**
 * Signs as ModelRoute does: to test what receives webhooks. Fails with `InvalidRequest` when the secret is empty or the
 * timestamp is not in whole seconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sign = (options: SignOptions): Effect.Effect<SignatureHeaders, InvalidRequest> =>
  Effect.gen(function* () {
    const [secret = ""] = yield* secretsOf(signOperation, "secret", [options.secret])
    const timestamp = options.timestamp ?? Math.floor((yield* Clock.currentTimeMillis) / 1000)
    if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
      return yield* invalid(signOperation, "timestamp", "is not in whole seconds", "Give seconds since 1970.")
    }
    const text = String(timestamp)
    return {
      "x-signature": yield* Effect.promise(() => signature.sign(secret, text, check.bytesOf(options.body))),
      "x-signature-timestamp": text
    }
  })

/**
 * Which events have been handled.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupService {
  /**
   * Handles an event unless it has been handled before: `true` when it was handled now, `false` when it had been. While an event
   * is being handled, another delivery of it waits for the end, and handles it itself if that has failed. An event is remembered
   * after it was handled with success, never before: a process that dies in between gets it again, so that it is handled at least
   * once. One `handle` that never ends keeps all others of its event waiting: give it a time limit. Fails with `PlatformError`
   * when the memory cannot be read or written.
   */
  readonly once: <E, R>(id: EventId, handle: Effect.Effect<void, E, R>) => Effect.Effect<boolean, E | PlatformError, R>
}

/**
 * The memory of handled events, for the `dedup` of `handler`. A service of your own can remember an event in the same transaction
 * that handles it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Dedup extends Context.Tag("effect-modelroute/Webhook/Dedup")<Dedup, DedupService>() {}

/**
 * How long to remember.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupOptions {
  /** How long an event is remembered at least. Default 24 hours; less counts as 24 hours, since the API delivers so long. */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * How long to remember, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredDedupOptions extends DedupOptions {
  /** What every key in the store begins with. Default `modelroute-webhook-`. */
  readonly prefix?: string | undefined
}

const ttlOf = (options: DedupOptions): number =>
  Math.max(86_400_000, orThrow(checksOf("Webhook.Dedup").duration("ttl", options.ttl ?? "24 hours", "zero")))

const inMemory = (ttl: number): DedupService => once.make(new Memory(ttl))

/**
 * Remembers in the memory of this process: after a restart, an event that comes again is handled again. About 250 bytes per
 * event of the last `ttl`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedupMemory = (options: DedupOptions = {}): Layer.Layer<Dedup> => {
  const ttl = ttlOf(options)
  return Layer.sync(Dedup, () => inMemory(ttl))
}

/**
 * Remembers in a `KeyValueStore`, also over restarts and crashes. Two small values per event, and nothing that grows: what has
 * expired is removed in the background, each hour with the first event, and at the start what has expired meanwhile. Several processes can share a
 * store; two of them that get the same event at the same moment both handle it, since a `KeyValueStore` cannot lock.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedup = (
  options: StoredDedupOptions = {}
): Layer.Layer<Dedup, never, KeyValueStore.KeyValueStore> => {
  const ttl = ttlOf(options)
  return Layer.scoped(
    Dedup,
    KeyValueStore.KeyValueStore.pipe(
      Effect.flatMap((values) => store.make(values, { ttl, prefix: options.prefix ?? "modelroute-webhook-" })),
      Effect.map(once.make)
    )
  )
}

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
 * `Webhook.handler({ secrets, onEvent: Webhook.awaiter })`. An event that arrives before somebody waits is kept for the next one
 * who does (the newest 1000, and no large output); one that arrives twice or too late changes nothing. There is no event for
 * EXPIRED, and events can be lost, so the client still looks, as its `pollSchedule` says.
 *
 * @since 0.1.0
 * @category combinators
 */
export const awaiter = (event: Event): Effect.Effect<void, never, ModelRouteClient> =>
  Effect.flatMap(ModelRouteClient, ({ executions }) =>
    event.execution === undefined ? Effect.void : executions.observe(event.execution)
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
