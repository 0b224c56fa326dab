/**
 * Formats the failure of an event handler for the log. Redacts the secrets and the content of the event.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Predicate from "effect/Predicate"
import { isRecord } from "../data/lenient.js"
import { makeRedactor } from "../errors/redact.js"
import { privateTextsOf } from "../errors/confidential.js"
import type { Event } from "./event.js"

/**
 * Returns the fields of `data` whose texts must be redacted. The other fields are excluded, because these fields
 * contain common words that may appear in any error.
 */
const privateData = (data: unknown): unknown => {
  if (!isRecord(data)) return data
  const { completed_at: _d, created_at: _a, cost: _c, latency_ms: _l, model: _m, status: _s, ...rest } = data
  return rest
}

const nameOf = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string"
    ? error._tag
    : error instanceof Error
      ? error.name
      : typeof error

const errorNames = <E>(cause: Cause.Cause<E>): string =>
  [...Chunk.toReadonlyArray(Cause.failures(cause)), ...Chunk.toReadonlyArray(Cause.defects(cause))]
    .map(nameOf)
    .join(", ")

/** @internal */
export const failureText = <E>(cause: Cause.Cause<E>, event: Event, secrets: ReadonlyArray<string>): string => {
  const { canSearch, redactText: freeText } = makeRedactor({
    privateTexts: privateTextsOf([privateData(event.data), event.extra]),
    secrets
  })
  return canSearch
    ? freeText([Cause.pretty(cause)]).join("")
    : `${errorNames(cause)} (text redacted, because the event is too large to check for quoted text)`
}
