/**
 * How a simulator behaves.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { DeliveryAttempt, DeliveryFault } from "./webhooks/deliveryRecord.js"
import type { EndpointShape } from "./webhooks/endpointView.js"
import type { PayloadShape } from "./webhooks/event.js"
import type { Fault } from "./faults/fault.js"
import type { Model } from "./executions/model.js"
import type { RequestRecord } from "./http/requestLog.js"

/**
 * How many requests the server takes. Refused ones do not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  readonly limit: number
  readonly window: Duration.DurationInput
  /**
   * `fixed` (default): windows that begin at whole multiples of their length on the server's clock; `sliding`: so many in
   * any stretch of that length; `bucket`: one more every `window / limit`, at most `limit` at once.
   */
  readonly kind?: "fixed" | "sliding" | "bucket" | undefined
  /** How much later than the whole multiples fixed windows begin. Default 0. */
  readonly offset?: Duration.DurationInput | undefined
  /** Whether `X-RateLimit-Reset` is rounded up or down to whole seconds. Default `up`. */
  readonly rounding?: "up" | "down" | undefined
}

/**
 * How webhooks look, and what happens to them on their way.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookOptions {
  /** How the API shows an endpoint. Default `long`. */
  readonly endpointShape?: EndpointShape | undefined
  /** What an event looks like. Default `full`. */
  readonly payload?: PayloadShape | undefined
  /** Signs what goes to an execution's own `webhook_url`. Default: one that the seed decides, `Simulator.webhookSecret`. */
  readonly secret?: string | undefined
  /** Carries the deliveries. Default: the platform's `fetch`. For an app in memory see `Simulator.deliverTo`. */
  readonly client?: HttpClient.HttpClient | undefined
  /** Asked before each attempt of a delivery. Default: `deliver`, always. */
  readonly deliveryFault?: ((attempt: DeliveryAttempt) => DeliveryFault) | undefined
}

/**
 * How the server behaves. Amounts that are not decimal strings are defects.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The keys that are let in; `Simulator.apiKeys` tells their ids. Default: any bearer token that is not empty, and one key
   * with an id that can be rotated.
   */
  readonly apiKeys?: ReadonlyArray<string> | undefined
  /** More models, or others in the place of the built-in ones. */
  readonly models?: Readonly<Record<string, Model>> | undefined
  /** What any other slug runs as. Default: 10 seconds, 0.040 dollars, one image. */
  readonly defaultModel?: Model | undefined
  /** Default 60 requests in 60 seconds. `false`: no limit and no such headers. */
  readonly rateLimit?: RateLimit | false | undefined
  /** Whether a 429 has a Retry-After, in seconds. Default `false`. */
  readonly retryAfter?: boolean | undefined
  /** In dollars, as a decimal string. Default `100.00`. */
  readonly balance?: string | undefined
  /** How long an execution may take; one that is not finished then becomes `EXPIRED`. Default 5 minutes. */
  readonly expiresAfter?: Duration.DurationInput | undefined
  /** How long an idempotency key is remembered. Default 24 hours. */
  readonly keyTtl?: Duration.DurationInput | undefined
  /** Whether answers have a Date header, in whole seconds, rounded down. Default `true`. */
  readonly date?: boolean | undefined
  /** How far the server's clock is ahead of the Clock; a negative number of milliseconds: behind. Default 0. */
  readonly clockSkew?: Duration.DurationInput | undefined
  /** Decides all ids. Default 1. */
  readonly seed?: number | undefined
  /** What goes wrong, each once, with the first request that it is for. Default: nothing. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** What goes wrong by chance, with requests that the script leaves alone. Default faults: `Fault.transient`. */
  readonly randomFaults?:
    | { readonly seed: number; readonly probability: number; readonly faults?: ReadonlyArray<Fault> | undefined }
    | undefined
  /** How `GET /v1/files/{id}/download` answers: with a presigned URL, the file, or a 302. Default `json`. */
  readonly download?: "json" | "bytes" | "redirect" | undefined
  /**
   * Whether the files of the newer edition count only when they have been confirmed. `absent`: an older server, which has
   * nothing at `/v1/files/confirm`. Default `needed`.
   */
  readonly confirm?: "needed" | "absent" | undefined
  /** The most bytes that an upload may have. Default 157,286,400 (150 MiB). */
  readonly maxUpload?: number | undefined
  /** Whether the storage sends parts of a file when a Range header asks for them. Default `true`. */
  readonly ranges?: boolean | undefined
  /** How webhooks look, and what happens to them on their way. */
  readonly webhooks?: WebhookOptions | undefined
  /**
   * What presigned URLs begin with. Default: in memory `https://storage.modelroute.example`, on a port `/storage` under
   * the host of the request.
   */
  readonly storageOrigin?: string | undefined
  /** How many of the last requests `requests` holds, and of the last deliveries `deliveries`. Default 10,000. */
  readonly recordRequests?: number | undefined
  /** Runs before each answer leaves. Default: nothing. */
  readonly onRequest?: ((record: RequestRecord) => Effect.Effect<void>) | undefined
}
