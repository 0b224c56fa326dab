/**
 * The options of a simulator.
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
 * The rate limit of the server. Rejected requests do not count. API page "Rate limits".
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  readonly limit: number
  readonly window: Duration.DurationInput
  /**
   * The kind of limit. Default: `fixed`
   *
   * - `fixed`: windows that start at whole multiples of `window` on the server's clock.
   * - `sliding`: at most `limit` requests in any period of length `window`.
   * - `bucket`: a token bucket of size `limit` that gains one token every `window / limit`.
   */
  readonly kind?: "fixed" | "sliding" | "bucket" | undefined
  /** Delays the start of fixed windows after the whole multiples. Default: 0 */
  readonly offset?: Duration.DurationInput | undefined
  /** Rounds `X-RateLimit-Reset` to whole seconds. Default: `up` */
  readonly rounding?: "up" | "down" | undefined
}

/**
 * The options of webhooks.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookOptions {
  /** The shape of an endpoint's JSON. Default: `long` */
  readonly endpointShape?: EndpointShape | undefined
  /** The shape of an event's JSON. Default: `full` */
  readonly payload?: PayloadShape | undefined
  /**
   * Signs deliveries to an execution's own `webhook_url`. `Service.webhookSecret` returns it. Default: a secret that
   * depends on the seed.
   */
  readonly secret?: string | undefined
  /** Sends the deliveries. For an app in memory see `Service.deliverTo`. Default: the platform's `fetch` */
  readonly client?: HttpClient.HttpClient | undefined
  /** Returns the fault of each delivery attempt. Default: always `deliver` */
  readonly deliveryFault?: ((attempt: DeliveryAttempt) => DeliveryFault) | undefined
}

/**
 * The options of a simulator. An amount that is not a decimal string is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The authorized API keys. `Service.apiKeys` returns their ids. Default: any bearer token that is not empty, and
   * one key with an id for rotation.
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** Models in addition to `Simulator.models`. A model with the same slug replaces the built-in one. Default: none */
  readonly models?: Readonly<Record<string, Model>> | undefined
  /** The behaviour of any other model slug. Default: 10 seconds, 0.040 dollars, one image. */
  readonly defaultModel?: Model | undefined
  /** `false` disables the limit and its headers. Default: 60 requests in 60 seconds. */
  readonly rateLimit?: RateLimit | false | undefined
  /** Adds a Retry-After header to each 429, in seconds. Default: `false` */
  readonly retryAfter?: boolean | undefined
  /** The initial balance in dollars, as a decimal string. Default: `100.00` */
  readonly balance?: string | undefined
  /** The maximum duration of an execution. A longer one becomes `EXPIRED`. Default: 5 minutes */
  readonly expiresAfter?: Duration.DurationInput | undefined
  /** The lifetime of an idempotency key. Default: 24 hours */
  readonly keyTtl?: Duration.DurationInput | undefined
  /** Adds a Date header to each response, in whole seconds, rounded down. Default: `true` */
  readonly date?: boolean | undefined
  /**
   * The offset of the server's clock from the Clock. A negative number of milliseconds sets it behind the Clock.
   * Default: 0
   */
  readonly clockSkew?: Duration.DurationInput | undefined
  /**
   * Determines all ids. Two runs with the same seed have the same event ids. A record of handled events that outlives
   * the first run treats the events of the second run as duplicates. Default: 1
   */
  readonly seed?: number | undefined
  /** Applies each fault once, to the first request that matches it. Default: none */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** Applies random faults to requests without a scripted one. The default of its `faults` is `Fault.transient`. */
  readonly randomFaults?:
    | { readonly seed: number; readonly probability: number; readonly faults?: ReadonlyArray<Fault> | undefined }
    | undefined
  /** The response of `GET /v1/files/{id}/download`: a presigned URL, the file, or a 302. Default: `json` */
  readonly download?: "json" | "bytes" | "redirect" | undefined
  /**
   * `needed` requires a confirm before a file of the current edition is usable. `absent` responds with a 404 at
   * `/v1/files/confirm`, like a server of the legacy edition. Default: `needed`
   */
  readonly confirm?: "needed" | "absent" | undefined
  /** The maximum size of an upload, in bytes. Default: 157,286,400 (150 MiB) */
  readonly maxUpload?: number | undefined
  /** Supports Range requests to the storage. Default: `true` */
  readonly ranges?: boolean | undefined
  /** The options of webhooks. */
  readonly webhooks?: WebhookOptions | undefined
  /**
   * The prefix of presigned URLs. Default: `https://storage.modelroute.example` in memory, and `/storage` under the
   * request's host on a port.
   */
  readonly storageOrigin?: string | undefined
  /** The number of latest requests in `requests`, and of latest deliveries in `deliveries`. Default: 10,000 */
  readonly recordRequests?: number | undefined
  /** Runs before each response is sent. Default: no effect */
  readonly onRequest?: ((record: RequestRecord) => Effect.Effect<void>) | undefined
}
