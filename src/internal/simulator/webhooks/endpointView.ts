/**
 * Builds the JSON of a webhook endpoint in both documented shapes.
 *
 * @internal
 */
import { iso } from "../time.js"
import type { Endpoint } from "./endpoints.js"

/**
 * The JSON shape of a webhook endpoint. The API's documentation shows both shapes:
 *
 * - `long`: contains `description`, `is_active` and `created_at`.
 * - `short`: contains `status` with the value `active` or `inactive`.
 *
 * See the API page "Webhook setup".
 *
 * @since 0.1.0
 * @category models
 */
export type EndpointShape = "long" | "short"

/** @internal The JSON shape and the time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
export interface Style {
  readonly shape: EndpointShape
  readonly skew: number
}

const activeField = ({ active }: Endpoint, shape: EndpointShape) =>
  shape === "long" ? { is_active: active } : { status: active ? "active" : "inactive" }

/** @internal Returns the JSON of an endpoint without its secret. */
export const toEndpointBody = (endpoint: Endpoint, { shape, skew }: Style) => {
  const { createdAt, description, events, id, url } = endpoint
  const longFields = { ...(description === undefined ? {} : { description }), created_at: iso(createdAt + skew) }
  return { id, url, events, ...activeField(endpoint, shape), ...(shape === "long" ? longFields : {}) }
}

/**
 * Returns the JSON of an endpoint with its secret. Only the response to a create request contains the secret.
 *
 * @internal
 */
export const toCreatedBody = (endpoint: Endpoint, style: Style) => ({
  ...toEndpointBody(endpoint, style),
  secret: endpoint.secret
})

/** @internal Returns the JSON of an endpoint in the list of endpoints. */
export const toListEntry = (endpoint: Endpoint, { shape, skew }: Style) => {
  const { events, failures, id, lastSuccess, url } = endpoint
  return {
    id,
    url,
    events,
    ...activeField(endpoint, shape),
    failure_count: failures,
    last_success: lastSuccess === undefined ? null : iso(lastSuccess + skew)
  }
}
