/**
 * Declares the webhook endpoint methods of the client.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as WebhookEndpoint from "../../WebhookEndpoint.js"

/**
 * Methods for webhook endpoints. All methods require an API key with full access. Use the `Webhook` module to receive
 * deliveries. No method requires a service. The error type of each method contains all its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEndpoints {
  /**
   * Creates an endpoint. Only this response contains the secret that signs the deliveries of the endpoint. Not retried
   * after an ambiguous failure. Call `list` to find out whether the endpoint exists. Remove an endpoint if its secret
   * was lost with the response. See the API page "Webhook setup".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
   *   const { id, secret } = yield* webhookEndpoints.create({
   *     url: "https://example.com/webhooks/modelroute",
   *     events: ["execution.completed", "execution.failed"]
   *   })
   *   return { id, secret }
   * })
   * ```
   */
  readonly create: (
    request: WebhookEndpoint.CreateRequest
  ) => Effect.Effect<WebhookEndpoint.CreatedEndpoint, RequestFailure>
  /**
   * Returns all endpoints without their secrets. See the API page "Webhook setup".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
   *   const endpoints = yield* webhookEndpoints.list
   *   return endpoints.filter((endpoint) => endpoint.isActive === false)
   * })
   * ```
   */
  readonly list: Effect.Effect<ReadonlyArray<WebhookEndpoint.Endpoint>, RequestFailure>
  /**
   * Updates the given fields of an endpoint and returns its latest state. See the API page "Webhook setup".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient, WebhookEndpoint } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
   *   return yield* webhookEndpoints.update(WebhookEndpoint.EndpointId.make("wh_abc123"), { isActive: true })
   * })
   * ```
   */
  readonly update: (
    id: WebhookEndpoint.EndpointId,
    changes: WebhookEndpoint.UpdateRequest
  ) => Effect.Effect<WebhookEndpoint.Endpoint, RequestFailure>
  /**
   * Removes an endpoint. Succeeds if a retry finds that the endpoint no longer exists. See the API page "Webhook
   * setup".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient, WebhookEndpoint } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
   *   yield* webhookEndpoints.remove(WebhookEndpoint.EndpointId.make("wh_abc123"))
   * })
   * ```
   */
  readonly remove: (id: WebhookEndpoint.EndpointId) => Effect.Effect<void, RequestFailure>
  /**
   * Requests the delivery of a test event to an endpoint. Returns the JSON of the response. The API does not document
   * the format of this response.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient, WebhookEndpoint } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
   *   yield* webhookEndpoints.test(WebhookEndpoint.EndpointId.make("wh_abc123"))
   * })
   * ```
   */
  readonly test: (id: WebhookEndpoint.EndpointId) => Effect.Effect<unknown, RequestFailure>
}
