/**
 * Declares the webhook endpoint methods of the client.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as WebhookEndpoint from "../../WebhookEndpoint.js"

/**
 * Methods for webhook endpoints. All methods require an API key with full access. To receive deliveries, use the
 * `Webhook` module. No method requires a service. The error type of each method contains all its failures. If a request
 * fails, the method fails with an error of `RequestFailure`, such as `Unauthorized` or `TransportError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEndpoints {
  /**
   * Creates an endpoint and returns its secret, which signs the deliveries to this endpoint. No other response contains
   * the secret. The request is not retried after an ambiguous failure, such as a lost response. In this case, call
   * `list` to find out whether the endpoint exists. If the endpoint exists, remove the endpoint and create another
   * endpoint, because the secret is lost. Fails with `InvalidRequest` if a field is invalid. If the request fails,
   * fails with an error of `RequestFailure`. See the API page "Webhook setup".
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
   * Returns all endpoints without their secrets. If the request fails, fails with an error of `RequestFailure`. See the
   * API page "Webhook setup".
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
   * Updates the given fields of an endpoint and returns the latest state of the endpoint. Fails with `InvalidRequest`
   * if a field is invalid. If the request fails, fails with an error of `RequestFailure`. See the API page "Webhook
   * setup".
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
   * Removes an endpoint. If a retry finds that the endpoint no longer exists, the method succeeds, because an earlier
   * attempt removed the endpoint. If the request fails, fails with an error of `RequestFailure`. See the API page
   * "Webhook setup".
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
   * Requests the delivery of a test event to an endpoint. Returns the undecoded JSON of the response, because the API
   * does not document the format of this response. If the request fails, fails with an error of `RequestFailure`.
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
