/**
 * Declares the methods on webhook endpoints.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as WebhookEndpoint from "../../WebhookEndpoint.js"

/**
 * Methods on webhook endpoints. They require an API key with full access. The module `Webhook` receives the deliveries.
 * No method requires a service. All failures are in its type.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEndpoints {
  /**
   * Creates an endpoint. Only this response contains the secret that signs its deliveries. Not retried after an
   * ambiguous failure. Call `list` to find out. Remove an endpoint whose secret was lost with the response. API page "Webhook setup".
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
   * Returns all endpoints, without their secrets. API page "Webhook setup".
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
   * Changes the given fields of an endpoint and returns its latest state. API page "Webhook setup".
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
   * Removes an endpoint. Succeeds if a retry finds that the endpoint no longer exists. API page "Webhook setup".
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
   * Asks the API to deliver a test event to an endpoint. Returns the JSON of the response, which the API does not
   * document.
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
