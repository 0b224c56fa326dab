/**
 * Models of webhook endpoints. The API delivers events to these endpoints.
 *
 * @since 0.1.0
 */
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Attributes, lenient } from "./internal/data/lenient.js"
import type { EventType } from "./internal/webhooks/eventType.js"

/**
 * Schema of the id of a webhook endpoint, such as `wh_abc123`. The id has no documented format. `EndpointId.make(text)`
 * returns a stored id as an `EndpointId`, and throws if the text is empty.
 *
 * @example
 * ```ts
 * import { WebhookEndpoint } from "effect-modelroute"
 *
 * export const id = WebhookEndpoint.EndpointId.make("wh_abc123")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const EndpointId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/EndpointId"))

/**
 * The id of an endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export type EndpointId = typeof EndpointId.Type

/**
 * The request that creates a webhook endpoint. See the API page "Webhook setup".
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest {
  /**
   * The absolute URL to which the API delivers events. The client accepts http and https, but the API requires https.
   */
  readonly url: string
  /** A description of the endpoint. Default: none. */
  readonly description?: string | undefined
  /** The event types that the API delivers to the endpoint. An empty list selects all types. Default: all types. */
  readonly events?: ReadonlyArray<EventType> | undefined
  /**
   * Additional HTTP headers that the API sends with each delivery. Errors and logs never contain the values of these
   * headers. Default: none.
   */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
}

/**
 * The changes to a webhook endpoint. If a field is absent, the endpoint keeps the current value of the field.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpdateRequest extends Partial<CreateRequest> {
  /**
   * `true` activates the endpoint, and `false` deactivates the endpoint. The API itself deactivates an endpoint after
   * 10 consecutive failed deliveries. Default: unchanged.
   */
  readonly isActive?: boolean | undefined
}

const fields = {
  /** The id of the endpoint. */
  id: EndpointId,
  /** The URL that receives the deliveries. */
  url: lenient(Schema.String),
  /** The description of the endpoint. */
  description: lenient(Schema.String),
  /** The event types that the API delivers. An empty list selects all types. */
  events: lenient(Schema.Array(Schema.String)),
  /** Additional headers of each delivery. */
  headers: lenient(Schema.Record({ key: Schema.String, value: Schema.Redacted(Schema.String) })),
  /** `true` if the API delivers events to the endpoint. Absent if the response does not contain this field. */
  isActive: lenient(Schema.Boolean),
  /** The number of consecutive failed deliveries. When this number reaches 10, the API deactivates the endpoint. */
  failureCount: lenient(Schema.NonNegativeInt),
  /** The time of the latest successful delivery. */
  lastSuccess: lenient(Schema.DateTimeUtc),
  /** The time when the endpoint was created. */
  createdAt: lenient(Schema.DateTimeUtc),
  /** Response fields that this version of the library does not support. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * A webhook endpoint. Only `id` and `extra` are always present. The API documentation shows two response formats, and
 * the schema decodes both.
 *
 * @since 0.1.0
 * @category models
 */
export class Endpoint extends Schema.Class<Endpoint>("effect-modelroute/Endpoint")(fields) {}

/**
 * A new webhook endpoint with the secret that signs its deliveries. Store the secret, because the API returns the
 * secret only once. `Redacted.value(created.secret)` returns the text of the secret. `Webhook.verify` needs the whole
 * text, including the prefix `whsec_`.
 *
 * @since 0.1.0
 * @category models
 */
export class CreatedEndpoint extends Schema.Class<CreatedEndpoint>("effect-modelroute/CreatedEndpoint")({
  ...fields,
  /** The secret that signs the deliveries. `Redacted.value(secret)` returns the text of the secret. */
  secret: Schema.Redacted(Schema.NonEmptyString)
}) {}
