/**
 * Decoders of webhook endpoints.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as WebhookEndpoint from "../../WebhookEndpoint.js"
import { beyond, isRecord } from "../data/lenient.js"
import type { Json } from "../data/json.js"

/** @internal */
export const otherOfEndpoints = beyond(
  "id url description events headers is_active status failure_count last_success created_at secret"
)

/** @internal */
export const isActive = ({ is_active: flag, status }: Json): boolean | undefined => {
  if (typeof flag === "boolean") return flag
  return typeof status === "string" ? status.toLowerCase() === "active" : undefined
}

/** Both documented shapes as one; an endpoint that is wrapped is one, too. */
export const endpointFields = (json: unknown): Json | undefined => {
  if (!isRecord(json)) return undefined
  const wrapped = json["endpoint"] ?? json["data"]
  const found = json["id"] === undefined && isRecord(wrapped) ? wrapped : json
  return { ...found, is_active: isActive(found), extra: otherOfEndpoints(found) }
}

/** @internal */
export const decodeEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.Endpoint)

/** @internal */
export const endpoint = (json: unknown): WebhookEndpoint.Endpoint | undefined =>
  Option.getOrUndefined(decodeEndpoint(endpointFields(json)))

/** @internal */
export const decodeRegistered = Schema.decodeUnknownOption(WebhookEndpoint.CreatedEndpoint)

/** @internal */
export const registered = (json: unknown): WebhookEndpoint.CreatedEndpoint | undefined =>
  Option.getOrUndefined(decodeRegistered(endpointFields(json)))

/** @internal A list in any of its wrappers; what in it is no endpoint is left out. */
export const endpoints = (json: unknown): ReadonlyArray<WebhookEndpoint.Endpoint> | undefined => {
  const list = isRecord(json) ? (json["endpoints"] ?? json["data"]) : json
  return Array.isArray(list) ? list.map(endpoint).filter((each) => each !== undefined) : undefined
}
