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
import { sha256Hex } from "../data/sha256.js"
import { invalid } from "../errors/invalidRequest.js"
import { checksOf } from "../errors/optionChecks.js"
import { type Delivery, WebhookRejected } from "./delivery.js"
import { Event, EventId } from "./event.js"
import * as json from "./event.js"
import * as signature from "./signature.js"
import * as check from "./signatureCheck.js"

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

/** @internal */
export const isList = <A>(u: A | ReadonlyArray<A>): u is ReadonlyArray<A> => Array.isArray(u)

/** @internal */
export const secretsOf = (
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

/** @internal */
export const verifyOperation = "Webhook.verify"

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

/** @internal */
export const signOperation = "Webhook.sign"

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
