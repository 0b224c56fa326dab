/**
 * Signs and verifies deliveries.
 *
 * @internal
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checksOf } from "../errors/optionChecks.js"
import { type Delivery, WebhookRejected } from "./delivery.js"
import type { Event } from "./event.js"
import * as decode from "./eventDecode.js"
import * as signature from "./signature.js"
import * as check from "./signatureCheck.js"

/**
 * The secret of a webhook endpoint, complete with its `whsec_`. Several secrets are for several endpoints, or for the
 * time in which one secret replaces another.
 *
 * @since 0.1.0
 * @category models
 */
export type Secrets = Redacted.Redacted | NonEmptyReadonlyArray<Redacted.Redacted>

/**
 * Options of `verify`.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyOptions {
  /** A delivery is genuine if any of these secrets has signed it. */
  readonly secrets: Secrets
  /**
   * Maximum difference between the time of signing and the present, in either direction. Default: 5 minutes, as the API
   * recommends. The API does not document whether it signs a repeated delivery again. If repeated deliveries are
   * rejected as `stale`, allow 1 day.
   */
  readonly tolerance?: Duration.DurationInput | undefined
}

const isList = <A>(u: A | ReadonlyArray<A>): u is ReadonlyArray<A> => Array.isArray(u)

/** @internal */
export const readSecrets = (
  operation: string,
  field: string,
  secrets: Redacted.Redacted | ReadonlyArray<Redacted.Redacted>
): Either.Either<ReadonlyArray<string>, InvalidRequest> => {
  const list = isList(secrets) ? secrets : [secrets]
  const cure = "Pass the endpoint's secret, whsec_…, as shown when the endpoint was created."
  const fail = (problem: string) => Either.left(invalidRequest(operation, field, problem, cure))
  return Either.gen(function* () {
    if (list.length === 0) return yield* fail("is an empty list")
    for (const secret of list) yield* checksOf(operation).redacted(field, secret)
    const texts = list.map((secret) => Redacted.value(secret))
    return texts.some((text) => text.trim() === "") ? yield* fail("is empty") : texts
  })
}

const verifyOperation = "Webhook.verify"

/**
 * Verifies the signature and the age of a delivery and returns its event. The age is measured on Effect's `Clock`.
 * The signature covers the bytes of the body, and is compared in constant time.
 *
 * Fails with `WebhookRejected` if the delivery is not genuine, not recent or not a JSON object. Fails with
 * `InvalidRequest` if an option is invalid, such as an empty secret. The same applies if the body is neither bytes nor
 * text. Does not check whether the event has been handled before. See `Dedup`. API page "Verifying webhooks".
 *
 * @example
 * ```ts
 * import { type Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * export const receive = (request: { body: Uint8Array; headers: Record<string, string> }, secret: Redacted.Redacted) =>
 *   Webhook.verify(request, { secrets: secret })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const verify = (
  delivery: Delivery,
  options: VerifyOptions
): Effect.Effect<Event, WebhookRejected | InvalidRequest> =>
  Effect.gen(function* () {
    const secrets = yield* readSecrets(verifyOperation, "secrets", options.secrets)
    if (typeof delivery.body !== "string" && !(delivery.body instanceof Uint8Array)) {
      return yield* invalidRequest(
        verifyOperation,
        "body",
        "is neither bytes nor text",
        "Pass the body as received, before it is parsed."
      )
    }
    const body = check.toBytes(delivery.body)
    const toleranceMillis = yield* checksOf(verifyOperation).duration(
      "tolerance",
      options.tolerance ?? "5 minutes",
      "zero"
    )
    const rejection = yield* check.findRejection(delivery, body, secrets, toleranceMillis)
    if (rejection !== undefined) return yield* new WebhookRejected(rejection)
    return decode.event(body) ?? (yield* new WebhookRejected(check.malformed))
  })

/**
 * Options of `sign`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SignOptions {
  /** The body of the delivery, byte for byte. */
  readonly body: Uint8Array | string
  /** The secret of the endpoint, complete with its `whsec_`. */
  readonly secret: Redacted.Redacted
  /** Time of signing, in whole seconds since 1970. Default: now, on Effect's `Clock`. */
  readonly timestamp?: number | undefined
}

/**
 * The headers of a signed delivery, for any HTTP client.
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
 * Signs a body as ModelRoute does, and returns the headers of the delivery. Use it to test code that receives webhooks.
 * Fails with `InvalidRequest` if the secret is empty, or if the timestamp is not a number of whole seconds. API page
 * "Verifying webhooks".
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * const secret = Redacted.make("whsec_test")
 * const body = JSON.stringify({ id: "evt_1", event_type: "execution.completed" })
 *
 * export const event = Effect.flatMap(Webhook.sign({ body, secret }), (headers) =>
 *   Webhook.verify({ body, headers }, { secrets: secret })
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const sign = (options: SignOptions): Effect.Effect<SignatureHeaders, InvalidRequest> =>
  Effect.gen(function* () {
    const [secret = ""] = yield* readSecrets(signOperation, "secret", [options.secret])
    const timestamp = options.timestamp ?? Math.floor((yield* Clock.currentTimeMillis) / 1000)
    if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
      return yield* invalidRequest(
        signOperation,
        "timestamp",
        "is not a whole number of seconds",
        "Pass the seconds since 1970."
      )
    }
    const text = String(timestamp)
    return {
      "x-signature": yield* Effect.promise(() => signature.sign(secret, text, check.toBytes(options.body))),
      "x-signature-timestamp": text
    }
  })
