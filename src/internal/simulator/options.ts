/**
 * Declares the options of a simulator.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Model } from "./executions/model.js"
import type { Fault } from "./faults/types.js"
import type { RequestRecord } from "./http/requestLog.js"
import type { DeliveryAttempt, DeliveryFault } from "./webhooks/deliveryRecord.js"
import type { EndpointShape } from "./webhooks/endpointView.js"
import type { PayloadShape } from "./webhooks/event.js"

/**
 * The rate limit of the simulated API. A request that is rejected with a 429 does not count towards the limit. See the
 * API page "Authentication".
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  /** Number of requests that the server accepts per `window`. A whole number above 0. */
  readonly limit: number
  /** Length of the period in which the server accepts at most `limit` requests. A finite duration above 0. */
  readonly window: Duration.DurationInput
  /**
   * Kind of rate limit. Default: `fixed`.
   *
   * - `fixed`: fixed windows that start at multiples of `window` on the server's clock.
   * - `sliding`: at most `limit` requests in any period of length `window`.
   * - `bucket`: a token bucket with `limit` tokens. Each request takes one token, and the bucket gains one token every
   *   `window / limit`.
   */
  readonly kind?: "fixed" | "sliding" | "bucket" | undefined
  /**
   * Time between a multiple of `window` and the start of a fixed window. The other kinds ignore this option. Default:
   * 0.
   */
  readonly offset?: Duration.DurationInput | undefined
  /** Rounding of `X-RateLimit-Reset` to whole seconds. Default: `up`. */
  readonly rounding?: "up" | "down" | undefined
}

/**
 * Options of webhook endpoints, events and deliveries.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookOptions {
  /** JSON shape of a webhook endpoint. Default: `long`. */
  readonly endpointShape?: EndpointShape | undefined
  /** JSON shape of an event. Default: `full`. */
  readonly payload?: PayloadShape | undefined
  /**
   * Secret that signs deliveries to the `webhook_url` of an execution. `Service.webhookSecret` returns the secret.
   * Default: a secret that depends on `seed`.
   */
  readonly secret?: string | undefined
  /**
   * HTTP client that sends the deliveries. Use `Service.deliverTo` to deliver to an HTTP app in memory. Default: the
   * platform's `fetch`.
   */
  readonly client?: HttpClient.HttpClient | undefined
  /** Returns the fault of a delivery attempt. Default: `deliver`, which is no fault, for every attempt. */
  readonly deliveryFault?: ((attempt: DeliveryAttempt) => DeliveryFault) | undefined
}

/**
 * Options of random faults.
 *
 * @since 0.1.0
 * @category models
 */
export interface RandomFaults {
  /** Seed of the random choices. The same seed and the same requests cause the same faults. */
  readonly seed: number
  /** Probability of a fault for each request, from 0 to 1. */
  readonly probability: number
  /** Faults to choose from. Default: `Fault.transient`. */
  readonly faults?: ReadonlyArray<Fault> | undefined
}

/**
 * Options of a simulator. The start of the simulator dies with a `RangeError` if an amount is not a decimal string. The
 * same applies if the rate limit is invalid.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * API keys that the server accepts as bearer tokens. `Service.apiKeys` returns the ids of these keys. By default, the
   * server accepts any non-empty bearer token, and creates one API key that a client can rotate.
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /**
   * Models in addition to `Simulator.models`, by slug. A model with the slug of a built-in model replaces the built-in
   * model. Default: none.
   */
  readonly models?: Readonly<Record<string, Model>> | undefined
  /**
   * Model of every slug that is neither in `models` nor in `Simulator.models`. Default: a model that takes 10 seconds,
   * costs 0.040 dollars and creates one image.
   */
  readonly defaultModel?: Model | undefined
  /**
   * Rate limit of the API. `false` disables the limit and omits the rate limit headers. Default: 60 requests in 60
   * seconds.
   */
  readonly rateLimit?: RateLimit | false | undefined
  /** Adds a Retry-After header in seconds to each 429. Default: `false`. */
  readonly retryAfter?: boolean | undefined
  /** Initial balance in dollars, as a decimal string. Default: `100.00`. */
  readonly balance?: string | undefined
  /** Maximum duration of an execution. A longer execution becomes `EXPIRED`. Default: 5 minutes. */
  readonly expiresAfter?: Duration.DurationInput | undefined
  /** Time for which the server remembers an idempotency key after its create request. Default: 24 hours. */
  readonly keyTtl?: Duration.DurationInput | undefined
  /** Adds a Date header to each response, rounded down to whole seconds. Default: `true`. */
  readonly date?: boolean | undefined
  /**
   * Difference between the server's clock and Effect's `Clock`. A number is in milliseconds. With a negative number,
   * the server's clock is behind. Default: 0.
   */
  readonly clockSkew?: Duration.DurationInput | undefined
  /**
   * Seed of all ids and secrets. Two runs with the same seed create the same event ids. If a store of handled events
   * keeps the event ids of an earlier run, use another seed. Otherwise, the store treats the new events as duplicates.
   * Default: 1.
   */
  readonly seed?: number | undefined
  /** Scripted faults, in order. Each fault applies to the next request that matches the fault. Default: none. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** Random faults for the requests that no scripted fault matches. Default: none. */
  readonly randomFaults?: RandomFaults | undefined
  /**
   * Response of `GET /v1/files/{id}/download`. With `json`, the response contains a presigned URL. With `bytes`, the
   * response contains the bytes of the file. With `redirect`, the response is a 302 to a presigned URL. Default:
   * `json`.
   */
  readonly download?: "json" | "bytes" | "redirect" | undefined
  /**
   * Behaviour of `POST /v1/files/confirm`. With `needed`, a file of the current API edition is usable only after a
   * confirm request. With `absent`, this path responds with a 404, as a server of the legacy API edition does. Default:
   * `needed`.
   */
  readonly confirm?: "needed" | "absent" | undefined
  /** Maximum size of an upload, in bytes. Default: 157,286,400 (150 MiB). */
  readonly maxUpload?: number | undefined
  /** Indicates whether the storage supports Range requests for downloads. Default: `true`. */
  readonly ranges?: boolean | undefined
  /** Options of webhook endpoints, events and deliveries. Default: the defaults of `WebhookOptions`. */
  readonly webhooks?: WebhookOptions | undefined
  /**
   * URL prefix of presigned URLs. The default of a simulator in memory is `https://storage.modelroute.example`. The
   * default of a simulator on a port is `/storage` on the host of the request.
   */
  readonly storageOrigin?: string | undefined
  /**
   * Maximum number of entries in `Service.requests`, and in `Service.deliveries`. A new entry replaces the oldest entry
   * if the maximum is reached. Default: 10,000.
   */
  readonly recordRequests?: number | undefined
  /**
   * Returns an effect that runs for each request before the server sends its response. The response waits for the end
   * of the effect. Default: no effect.
   */
  readonly onRequest?: ((record: RequestRecord) => Effect.Effect<void>) | undefined
}
