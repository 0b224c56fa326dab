/**
 * Decodes webhook endpoints in each documented shape.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as WebhookEndpoint from "../../WebhookEndpoint.js"
import type { Json } from "../data/json.js"
import { omitFields, isRecord } from "../data/lenient.js"

const unknownFields = omitFields(
  "id url description events headers is_active status failure_count last_success created_at secret"
)

const readIsActive = ({ is_active: flag, status }: Json): boolean | undefined => {
  if (typeof flag === "boolean") return flag
  return typeof status === "string" ? status.toLowerCase() === "active" : undefined
}

/** Returns the fields of an endpoint, from either documented shape and from a wrapper. */
const endpointFields = (json: unknown): Json | undefined => {
  if (!isRecord(json)) return undefined
  const wrapped = json["endpoint"] ?? json["data"]
  const fields = json["id"] === undefined && isRecord(wrapped) ? wrapped : json
  return { ...fields, is_active: readIsActive(fields), extra: unknownFields(fields) }
}

const decodeEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.Endpoint)

/** @internal */
export const endpoint = (json: unknown): WebhookEndpoint.Endpoint | undefined =>
  Option.getOrUndefined(decodeEndpoint(endpointFields(json)))

const decodeCreatedEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.CreatedEndpoint)

/** @internal */
export const createdEndpoint = (json: unknown): WebhookEndpoint.CreatedEndpoint | undefined =>
  Option.getOrUndefined(decodeCreatedEndpoint(endpointFields(json)))

/** @internal Decodes a list in any of its wrappers. Leaves out the entries that are no endpoints. */
export const endpoints = (json: unknown): ReadonlyArray<WebhookEndpoint.Endpoint> | undefined => {
  const list = isRecord(json) ? (json["endpoints"] ?? json["data"]) : json
  return Array.isArray(list) ? list.map(endpoint).filter((each) => each !== undefined) : undefined
}
