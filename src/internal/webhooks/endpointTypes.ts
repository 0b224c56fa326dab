/**
 * The methods on webhook endpoints.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as WebhookEndpoint from "../../WebhookEndpoint.js"

/**
 * The methods on the endpoints that the API delivers webhooks to. They need an API key with full access. None has a
 * requirement; each lists its failures. To receive what they deliver: module `Webhook`.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEndpoints {
  /**
   * Registers an endpoint. The answer alone has the secret that signs its deliveries. Never sent again after a failure that
   * leaves open whether it was carried out: `list` tells. API page "Webhook setup".
   */
  readonly create: (
    request: WebhookEndpoint.CreateRequest
  ) => Effect.Effect<WebhookEndpoint.CreatedEndpoint, RequestFailure>
  /** All endpoints, without their secrets. */
  readonly list: Effect.Effect<ReadonlyArray<WebhookEndpoint.Endpoint>, RequestFailure>
  /** Changes what is given, and gives the endpoint as it then is. */
  readonly update: (
    id: WebhookEndpoint.EndpointId,
    changes: WebhookEndpoint.UpdateRequest
  ) => Effect.Effect<WebhookEndpoint.Endpoint, RequestFailure>
  /** Removes an endpoint; one that a repeated request finds gone is no failure. */
  readonly remove: (id: WebhookEndpoint.EndpointId) => Effect.Effect<void, RequestFailure>
  /** Has a test event delivered to an endpoint. Gives the answer's JSON as it is, since no page tells its shape. */
  readonly test: (id: WebhookEndpoint.EndpointId) => Effect.Effect<unknown, RequestFailure>
}
