/**
 * From a delivery's JSON to the fields of an event: both documented shapes, and whatever else is an object.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import { beyond, isRecord, present, text, tolerant, Attributes } from "../data/lenient.js"
import * as decode from "../executions/decode.js"
import { EventType } from "./eventType.js"

const others = beyond("id event_type type timestamp version organization_id execution_id data")

const decodeTime = Schema.decodeUnknownOption(Schema.DateTimeUtc)

/** @internal `undefined` for what is no JSON object. */
export const parse = (body: Uint8Array): Json | undefined => {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body))
    return isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** @internal */
export const idOf = (json: Json): string | undefined => text(json["id"])

/** @internal All but the id. */
export const fieldsOf = (json: Json) => {
  const data = json["data"]
  const inner = isRecord(data) ? data : {}
  const id = text(json["execution_id"]) ?? text(inner["id"]) ?? text(inner["execution_id"])
  return {
    type: text(json["event_type"]) ?? text(json["type"]) ?? "unknown",
    extra: others(json),
    ...present({
      timestamp: Option.getOrUndefined(decodeTime(json["timestamp"])),
      version: text(json["version"]),
      organizationId: text(json["organization_id"]),
      executionId: id === undefined ? undefined : Execution.ExecutionId.make(id),
      execution: isRecord(data) ? decode.execution({ ...data, id }) : undefined,
      data: data ?? undefined
    })
  }
}

/**
 * The id of an event, `evt_…`: opaque, and the same in every delivery of the event. An event that came without one has the
 * SHA-256 of its body in its place, `sha256_…`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/EventId"))

/**
 * The id of an event.
 *
 * @since 0.1.0
 * @category models
 */
export type EventId = typeof EventId.Type

/**
 * An event out of a verified delivery. Only `id` and `type` are certain. Events may arrive in any order: an execution with a
 * terminal status never changes again, whatever arrives after it.
 *
 * @since 0.1.0
 * @category models
 */
export class Event extends Schema.Class<Event>("effect-modelroute/WebhookEvent")({
  id: EventId,
  type: EventType,
  timestamp: tolerant(Schema.DateTimeUtc, "timestamp"),
  version: tolerant(Schema.String, "version"),
  organizationId: tolerant(Schema.String, "organization_id"),
  executionId: tolerant(Execution.ExecutionId, "execution_id"),
  /** The execution as `data` tells of it, without what the API left out of the event. */
  execution: tolerant(Execution.Execution, "execution"),
  /** As it came. */
  data: tolerant(Schema.Unknown, "data"),
  /** Fields of the event that this version does not know. */
  extra: Schema.optionalWith(Attributes, { default: () => ({}) })
}) {}
