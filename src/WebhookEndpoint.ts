/**
 * Models of webhook endpoints, the URLs to which the API delivers events.
 *
 * @since 0.1.0
 */
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Attributes, lenient } from "./internal/data/lenient.js"
import type { EventType } from "./internal/webhooks/eventType.js"

/**
 * Schema of an endpoint id, such as `wh_…`. The id is opaque. `EndpointId.make(text)` turns a stored text into an id.
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
 * Id of an endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export type EndpointId = typeof EndpointId.Type

/**
 * Request that creates an endpoint. API page "Webhook setup".
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest {
  /** Absolute http(s) URL. The API requires https. */
  readonly url: string
  readonly description?: string | undefined
  /** Types of events to deliver. Default, also for an empty list: all types. */
  readonly events?: ReadonlyArray<EventType> | undefined
  /** Additional headers of each delivery. Their values never appear in errors or logs. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
}

/**
 * Fields of an endpoint to change. Absent fields keep their values.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpdateRequest extends Partial<CreateRequest> {
  /** `true` reactivates an endpoint that the API has deactivated after 10 failed deliveries. */
  readonly isActive?: boolean | undefined
}

const fields = {
  id: EndpointId,
  url: lenient(Schema.String),
  description: lenient(Schema.String),
  /** Types of events to deliver. Empty: all types. */
  events: lenient(Schema.Array(Schema.String)),
  /** Additional headers of each delivery. */
  headers: lenient(Schema.Record({ key: Schema.String, value: Schema.Redacted(Schema.String) })),
  /** Absent if the response does not contain it. */
  isActive: lenient(Schema.Boolean),
  /** Number of consecutive failed deliveries. The API deactivates the endpoint after 10. */
  failureCount: lenient(Schema.NonNegativeInt),
  lastSuccess: lenient(Schema.DateTimeUtc),
  createdAt: lenient(Schema.DateTimeUtc),
  /** Fields of the response that this version of the library does not know. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * An endpoint, in either documented shape. Only `id` and `extra` are always present.
 *
 * @since 0.1.0
 * @category models
 */
export class Endpoint extends Schema.Class<Endpoint>("effect-modelroute/Endpoint")(fields) {}

/**
 * A new endpoint with the secret that signs its deliveries. The API shows the secret only once, so store it.
 * `Redacted.value(created.secret)` returns its text. `Webhook.verify` needs the complete text, with its `whsec_`.
 *
 * @since 0.1.0
 * @category models
 */
export class CreatedEndpoint extends Schema.Class<CreatedEndpoint>("effect-modelroute/CreatedEndpoint")({
  ...fields,
  secret: Schema.Redacted(Schema.NonEmptyString)
}) {}
