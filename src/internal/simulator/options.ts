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
 * The rate limit of the server. Rejected requests do not count towards the limit. See the API page "Authentication".
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  /** Number of requests that the server accepts per `window`. A whole number above 0. */
  readonly limit: number
  /** Period of the limit. Finite and above 0. */
  readonly window: Duration.DurationInput
  /**
   * Kind of rate limit. Default: `fixed`.
   *
   * - `fixed`: fixed windows that start at multiples of `window` on the server's clock.
   * - `sliding`: at most `limit` requests in any period of length `window`.
   * - `bucket`: a token bucket with `limit` tokens that gains one token every `window / limit`.
   */
  readonly kind?: "fixed" | "sliding" | "bucket" | undefined
  /** Delay of each fixed window after a multiple of `window`. Default: 0. */
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
  /** Returns the fault of a delivery attempt. Default: always `deliver`. */
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
 * Options of a simulator. An amount that is not a decimal string and an invalid rate limit cause a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Authorized API keys. `Service.apiKeys` returns their ids. By default, the server accepts any non-empty bearer token
   * and creates one API key for rotation.
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /**
   * Models in addition to `Simulator.models`. A model with the same slug replaces the built-in model. Default: none.
   */
  readonly models?: Readonly<Record<string, Model>> | undefined
  /** Model of all other slugs. Default: 10 seconds, 0.040 dollars, one image. */
  readonly defaultModel?: Model | undefined
  /** Rate limit of the API. `false` disables the limit and its headers. Default: 60 requests in 60 seconds. */
  readonly rateLimit?: RateLimit | false | undefined
  /** Adds a Retry-After header in seconds to each 429. Default: `false`. */
  readonly retryAfter?: boolean | undefined
  /** Initial balance in dollars, as a decimal string. Default: `100.00`. */
  readonly balance?: string | undefined
  /** Maximum duration of an execution. A longer execution becomes `EXPIRED`. Default: 5 minutes. */
  readonly expiresAfter?: Duration.DurationInput | undefined
  /** Lifetime of an idempotency key. Default: 24 hours. */
  readonly keyTtl?: Duration.DurationInput | undefined
  /** Adds a Date header to each response, rounded down to whole seconds. Default: `true`. */
  readonly date?: boolean | undefined
  /**
   * Offset of the server's clock from the `Clock`. If the number of milliseconds is negative, the server's clock is
   * behind. Default: 0.
   */
  readonly clockSkew?: Duration.DurationInput | undefined
  /**
   * Seed of all ids and secrets. Two runs with the same seed have the same event ids. If a store of handled event ids
   * outlives the first run, the events of the second run are duplicates. Default: 1.
   */
  readonly seed?: number | undefined
  /** Scripted faults. Each fault applies to the next request that matches it. Default: none. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** Random faults for requests without a scripted fault. Default: none. */
  readonly randomFaults?: RandomFaults | undefined
  /**
   * Response of `GET /v1/files/{id}/download`. `json` returns a presigned URL, `bytes` returns the file, and `redirect`
   * returns a 302. Default: `json`.
   */
  readonly download?: "json" | "bytes" | "redirect" | undefined
  /**
   * Support of confirm requests for uploads. `needed` requires a confirm request before a file of the current edition
   * is usable. `absent` responds with a 404 at `/v1/files/confirm`, as a server of the legacy edition does. Default:
   * `needed`.
   */
  readonly confirm?: "needed" | "absent" | undefined
  /** Maximum size of an upload, in bytes. Default: 157,286,400 (150 MiB). */
  readonly maxUpload?: number | undefined
  /** Supports Range requests for files in the storage. Default: `true`. */
  readonly ranges?: boolean | undefined
  /** Options of webhook endpoints, events and deliveries. Default: the defaults of `WebhookOptions`. */
  readonly webhooks?: WebhookOptions | undefined
  /**
   * URL prefix of presigned URLs. Default in memory: `https://storage.modelroute.example`. Default on a port:
   * `/storage` on the host of the request.
   */
  readonly storageOrigin?: string | undefined
  /**
   * Maximum length of `Service.requests` and of `Service.deliveries`. The server removes older entries. Default:
   * 10,000.
   */
  readonly recordRequests?: number | undefined
  /** Effect that runs before the server sends a response. Default: no effect. */
  readonly onRequest?: ((record: RequestRecord) => Effect.Effect<void>) | undefined
}
