/**
 * A webhook endpoint as the API shows it, in either of the two shapes of its documentation.
 *
 * @internal
 */
import type { Endpoint } from "./endpoints.js"
import { iso } from "../time.js"

/**
 * The two shapes in which the documentation shows an endpoint: `long` with `description`, `is_active` and `created_at`;
 * `short` with `status`, `active` or `inactive`.
 *
 * @since 0.1.0
 * @category models
 */
export type EndpointShape = "long" | "short"

const state = ({ active }: Endpoint, shape: EndpointShape) =>
  shape === "long" ? { is_active: active } : { status: active ? "active" : "inactive" }

/** @internal `skew` is the server's clock less the Clock, in milliseconds. */
export interface Style {
  readonly shape: EndpointShape
  readonly skew: number
}

/** @internal Without its secret. */
export const shown = (endpoint: Endpoint, { shape, skew }: Style) => {
  const { createdAt, description, events, id, url } = endpoint
  const more = { ...(description === undefined ? {} : { description }), created_at: iso(createdAt + skew) }
  return { id, url, events, ...state(endpoint, shape), ...(shape === "long" ? more : {}) }
}

/** @internal The only answer that has the secret. */
export const created = (endpoint: Endpoint, style: Style) => ({ ...shown(endpoint, style), secret: endpoint.secret })

/** @internal Its entry in the list. */
export const listed = (endpoint: Endpoint, { shape, skew }: Style) => {
  const { events, failures, id, lastSuccess, url } = endpoint
  return {
    id,
    url,
    events,
    ...state(endpoint, shape),
    failure_count: failures,
    last_success: lastSuccess === undefined ? null : iso(lastSuccess + skew)
  }
}
