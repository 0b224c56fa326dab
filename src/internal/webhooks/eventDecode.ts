/**
 * Decodes the body of a delivery into an event. The API documentation describes two formats, and this decoder accepts
 * both.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import { isRecord, omitUndefined, nonEmptyString } from "../data/lenient.js"
import { sha256Hex } from "../data/sha256.js"
import * as wireNames from "../data/wireNames.js"
import * as decode from "../executions/decode.js"
import { Event, EventId } from "./event.js"

const wire = wireNames.make({
  names: {
    id: "id",
    type: "event_type",
    timestamp: "timestamp",
    version: "version",
    organizationId: "organization_id",
    executionId: "execution_id",
    data: "data"
  },
  alsoRead: ["type"]
})

const decodeTime = Schema.decodeUnknownOption(Schema.DateTimeUtc)

const parseObject = (body: Uint8Array): Json | undefined => {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body))
    return isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** @internal Decodes the body of a delivery. Returns `undefined` if the body is not a JSON object. */
export const event = (body: Uint8Array): Event | undefined => {
  const json = parseObject(body)
  if (json === undefined) return undefined
  const { data, ...fields } = wire.toModel(json)
  const execution = isRecord(data) ? data : {}
  const executionId =
    nonEmptyString(fields["executionId"]) ??
    nonEmptyString(execution["id"]) ??
    nonEmptyString(execution["execution_id"])
  return new Event({
    id: EventId.make(nonEmptyString(fields["id"]) ?? `sha256_${sha256Hex(body)}`),
    type: nonEmptyString(fields["type"]) ?? nonEmptyString(json["type"]) ?? "unknown",
    extra: wire.unknownFields(json),
    ...omitUndefined({
      timestamp: Option.getOrUndefined(decodeTime(fields["timestamp"])),
      version: nonEmptyString(fields["version"]),
      organizationId: nonEmptyString(fields["organizationId"]),
      executionId: executionId === undefined ? undefined : Execution.ExecutionId.make(executionId),
      execution: isRecord(data) ? decode.execution({ ...data, id: executionId }) : undefined,
      data: data ?? undefined
    })
  })
}
