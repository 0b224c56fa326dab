/**
 * From a delivery's JSON to the fields of an event: both documented shapes, and whatever else is an object.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import * as decode from "../executions/decode.js"
import { isRecord, present, text } from "../data/lenient.js"

type Json = { readonly [key: string]: unknown }

const others = decode.beyond("id event_type type timestamp version organization_id execution_id data")

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
