/**
 * Decodes webhook endpoints of API responses. The API documentation describes two formats, and this decoder accepts
 * both.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as WebhookEndpoint from "../../WebhookEndpoint.js"
import type { Json } from "../data/json.js"
import { isRecord } from "../data/lenient.js"
import * as wireNames from "../data/wireNames.js"

const wire = wireNames.make({
  names: {
    id: "id",
    url: "url",
    description: "description",
    events: "events",
    headers: "headers",
    isActive: "is_active",
    failureCount: "failure_count",
    lastSuccess: "last_success",
    createdAt: "created_at",
    secret: "secret"
  },
  alsoRead: ["status"]
})

const readIsActive = ({ is_active: flag, status }: Json): boolean | undefined => {
  if (typeof flag === "boolean") return flag
  return typeof status === "string" ? status.toLowerCase() === "active" : undefined
}

/**
 * Returns the fields of an endpoint from a response. Accepts both documented formats. The endpoint can be the whole
 * JSON, or the value of its field `endpoint` or `data`.
 */
const endpointFields = (json: unknown): Json | undefined => {
  if (!isRecord(json)) return undefined
  const wrapped = json["endpoint"] ?? json["data"]
  const fields = json["id"] === undefined && isRecord(wrapped) ? wrapped : json
  return { ...wire.toModel(fields), isActive: readIsActive(fields), extra: wire.unknownFields(fields) }
}

const decodeEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.Endpoint)

/** @internal */
export const endpoint = (json: unknown): WebhookEndpoint.Endpoint | undefined =>
  Option.getOrUndefined(decodeEndpoint(endpointFields(json)))

const decodeCreatedEndpoint = Schema.decodeUnknownOption(WebhookEndpoint.CreatedEndpoint)

/** @internal */
export const createdEndpoint = (json: unknown): WebhookEndpoint.CreatedEndpoint | undefined =>
  Option.getOrUndefined(decodeCreatedEndpoint(endpointFields(json)))

/**
 * Decodes a list of endpoints. The list can be the whole JSON, or the value of its field `endpoints` or `data`. Omits
 * elements that are not endpoints.
 *
 * @internal
 */
export const endpoints = (json: unknown): ReadonlyArray<WebhookEndpoint.Endpoint> | undefined => {
  const list = isRecord(json) ? (json["endpoints"] ?? json["data"]) : json
  return Array.isArray(list) ? list.map(endpoint).filter((each) => each !== undefined) : undefined
}
