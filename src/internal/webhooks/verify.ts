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
 * One or more secrets of webhook endpoints. Each secret includes the prefix `whsec_`. Pass several secrets if one
 * receiver serves several endpoints, or during the rotation of a secret.
 *
 * @since 0.1.0
 * @category models
 */
export type Secrets = Redacted.Redacted | NonEmptyReadonlyArray<Redacted.Redacted>

/**
 * Options of `Webhook.verify`.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyOptions {
  /**
   * Secrets of the endpoints that the receiver serves. A delivery is genuine if its signature matches one of these
   * secrets.
   */
  readonly secrets: Secrets
  /**
   * Maximum difference between the time of signing and the current time, in either direction. Default: 5 minutes, as
   * the API recommends. The API does not document whether a repeated delivery has a new timestamp. If repeated
   * deliveries are rejected as `stale`, use 1 day.
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
  const advice = "Pass the endpoint's secret, whsec_…, as shown when the endpoint was created."
  const fail = (problem: string) => Either.left(invalidRequest(operation, field, problem, advice))
  return Either.gen(function* () {
    if (list.length === 0) return yield* fail("is an empty list")
    for (const secret of list) yield* checksOf(operation).redacted(field, secret)
    const texts = list.map((secret) => Redacted.value(secret))
    return texts.some((text) => text.trim() === "") ? yield* fail("is empty") : texts
  })
}

const verifyOperation = "Webhook.verify"

/**
 * Verifies the signature and the age of a delivery and returns its event. The signature covers the received bytes of
 * the body. Compares signatures in constant time. Computes the age from the current time of Effect's `Clock`. `verify`
 * does not detect that an event has already been handled. To handle each event once, use `Dedup`.
 *
 * Fails with `WebhookRejected` if the signature is not genuine, or if the timestamp is outside `tolerance`. Also fails
 * with `WebhookRejected` if the body is not a JSON object. Fails with `InvalidRequest` if an option is invalid, for
 * example an empty secret. Also fails with `InvalidRequest` if the body is neither bytes nor text. See the API page
 * "Verifying webhooks".
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
 * Options of `Webhook.sign`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SignOptions {
  /** Raw body of the delivery. */
  readonly body: Uint8Array | string
  /** Secret that signs the delivery, including the prefix `whsec_`. */
  readonly secret: Redacted.Redacted
  /** Time of signing in whole seconds since 1970 (UTC). Default: the current time of Effect's `Clock`. */
  readonly timestamp?: number | undefined
}

/**
 * Headers of a signed delivery for any HTTP client.
 *
 * @since 0.1.0
 * @category models
 */
export type SignatureHeaders = {
  /** HMAC-SHA256 of `{timestamp}.{body}`, as lowercase hexadecimal digits. */
  readonly "x-signature": string
  /** Time of signing in whole seconds since 1970 (UTC). */
  readonly "x-signature-timestamp": string
}

const signOperation = "Webhook.sign"

/**
 * Signs a body in the same way as ModelRoute and returns the headers of the delivery. Use this function to test a
 * webhook receiver. Fails with `InvalidRequest` if the secret is empty, or if the timestamp is not a number of whole
 * seconds. See the API page "Verifying webhooks".
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
