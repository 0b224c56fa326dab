/**
 * Decodes the body of a delivery into an event, in either documented shape.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import type { Json } from "../data/json.js"
import { omitFields, isRecord, omitUndefined, nonEmptyString } from "../data/lenient.js"
import { sha256Hex } from "../data/sha256.js"
import * as decode from "../executions/decode.js"
import { Event, EventId } from "./event.js"

const unknownFields = omitFields("id event_type type timestamp version organization_id execution_id data")

const decodeTime = Schema.decodeUnknownOption(Schema.DateTimeUtc)

const parseObject = (body: Uint8Array): Json | undefined => {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body))
    return isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** @internal Returns `undefined` if the body is not a JSON object. */
export const event = (body: Uint8Array): Event | undefined => {
  const json = parseObject(body)
  if (json === undefined) return undefined
  const data = json["data"]
  const fields = isRecord(data) ? data : {}
  const executionId =
    nonEmptyString(json["execution_id"]) ?? nonEmptyString(fields["id"]) ?? nonEmptyString(fields["execution_id"])
  return new Event({
    id: EventId.make(nonEmptyString(json["id"]) ?? `sha256_${sha256Hex(body)}`),
    type: nonEmptyString(json["event_type"]) ?? nonEmptyString(json["type"]) ?? "unknown",
    extra: unknownFields(json),
    ...omitUndefined({
      timestamp: Option.getOrUndefined(decodeTime(json["timestamp"])),
      version: nonEmptyString(json["version"]),
      organizationId: nonEmptyString(json["organization_id"]),
      executionId: executionId === undefined ? undefined : Execution.ExecutionId.make(executionId),
      execution: isRecord(data) ? decode.execution({ ...data, id: executionId }) : undefined,
      data: data ?? undefined
    })
  })
}
