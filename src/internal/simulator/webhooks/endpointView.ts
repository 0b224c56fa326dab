/**
 * The JSON of a webhook endpoint, in both shapes of the API's documentation.
 *
 * @internal
 */
import { iso } from "../time.js"
import type { Endpoint } from "./endpoints.js"

/**
 * The shape of an endpoint's JSON. The API's documentation shows both: `long` has `description`, `is_active` and
 * `created_at`, `short` has `status` with `active` or `inactive`. API page
 * "Webhook setup".
 *
 * @since 0.1.0
 * @category models
 */
export type EndpointShape = "long" | "short"

/** @internal `skew` is the server's clock minus the Clock, in milliseconds. */
export interface Style {
  readonly shape: EndpointShape
  readonly skew: number
}

const activeField = ({ active }: Endpoint, shape: EndpointShape) =>
  shape === "long" ? { is_active: active } : { status: active ? "active" : "inactive" }

/** @internal Returns the endpoint without its secret. */
export const toEndpointBody = (endpoint: Endpoint, { shape, skew }: Style) => {
  const { createdAt, description, events, id, url } = endpoint
  const longFields = { ...(description === undefined ? {} : { description }), created_at: iso(createdAt + skew) }
  return { id, url, events, ...activeField(endpoint, shape), ...(shape === "long" ? longFields : {}) }
}

/** @internal Returns the endpoint with its secret. Only the response to a create has it. */
export const toCreatedBody = (endpoint: Endpoint, style: Style) => ({
  ...toEndpointBody(endpoint, style),
  secret: endpoint.secret
})

/** @internal Returns the endpoint's entry in the list. */
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
