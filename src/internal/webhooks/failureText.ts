/**
 * Why an event was not handled, as text for the log: without a secret and without what the event is about.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Predicate from "effect/Predicate"
import type { Event } from "./event.js"
import { privateTextsOf, redactor } from "../errors/redact.js"
import { isRecord } from "../data/lenient.js"

/** Without the fields that say nothing of the content: their values are words that appear everywhere. */
const contentOf = (data: unknown): unknown => {
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

const names = <E>(cause: Cause.Cause<E>): string =>
  [...Chunk.toReadonlyArray(Cause.failures(cause)), ...Chunk.toReadonlyArray(Cause.defects(cause))]
    .map(nameOf)
    .join(", ")

/** @internal */
export const textOf = <E>(cause: Cause.Cause<E>, event: Event, secrets: ReadonlyArray<string>): string => {
  const { canSearch, freeText } = redactor({
    privateTexts: privateTextsOf([contentOf(event.data), event.extra]),
    secrets
  })
  return canSearch
    ? freeText([Cause.pretty(cause)]).join("")
    : `${names(cause)} (its text is withheld, because the event is too large to be searched for quotes)`
}
