/**
 * Where the API delivers webhooks to.
 *
 * @since 0.1.0
 */
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Attributes, tolerant } from "./internal/data/lenient.js"
import type { EventType } from "./internal/webhooks/eventType.js"

/**
 * The id of an endpoint, `wh_…`: opaque. `EndpointId.make(text)` makes one of an id that was stored as text.
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
 * The endpoint to register (API page "Webhook setup").
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateRequest {
  /** An absolute http(s) URL; the API wants https. */
  readonly url: string
  readonly description?: string | undefined
  /** Which events it gets; none named, or none given: all. */
  readonly events?: ReadonlyArray<EventType> | undefined
  /** Headers that each delivery carries in addition. Their values are shown in no error or log. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
}

/**
 * What to change of an endpoint. `isActive: true` takes one up again that the API has deactivated after 10 failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpdateRequest extends Partial<CreateRequest> {
  readonly isActive?: boolean | undefined
}

const fields = {
  id: EndpointId,
  url: tolerant(Schema.String, "url"),
  description: tolerant(Schema.String, "description"),
  /** Empty: all. */
  events: tolerant(Schema.Array(Schema.String), "events"),
  /** Headers that each delivery carries in addition. */
  headers: tolerant(Schema.Record({ key: Schema.String, value: Schema.Redacted(Schema.String) }), "headers"),
  /** Absent where the answer does not tell. */
  isActive: tolerant(Schema.Boolean, "is_active"),
  /** Deliveries that have failed one after the other; after 10 the API deactivates the endpoint. */
  failureCount: tolerant(Schema.NonNegativeInt, "failure_count"),
  lastSuccess: tolerant(Schema.DateTimeUtc, "last_success"),
  createdAt: tolerant(Schema.DateTimeUtc, "created_at"),
  /** Fields of the answer that this version does not know. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}

/**
 * An endpoint as the API tells of it, in either of the documented shapes. Only `id` is certain.
 *
 * @since 0.1.0
 * @category models
 */
export class Endpoint extends Schema.Class<Endpoint>("effect-modelroute/Endpoint")(fields) {}

/**
 * A new endpoint, with the secret that signs its deliveries. The API shows it this once: store it.
 * `Redacted.value(registered.secret)` is its text, and the whole of it, `whsec_` included, is what `Webhook.verify` wants.
 *
 * @since 0.1.0
 * @category models
 */
export class CreatedEndpoint extends Schema.Class<CreatedEndpoint>("effect-modelroute/CreatedEndpoint")({
  ...fields,
  secret: Schema.Redacted(Schema.NonEmptyString)
}) {}
