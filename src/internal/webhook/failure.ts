/**
 * Why an event was not handled, as text for the log: without a secret and without what the event is about.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Predicate from "effect/Predicate"
import type { Event } from "../../Webhook.js"
import { privateTexts, scrubber } from "../scrub.js"
import { isRecord } from "../tolerant.js"

/** To look for more than this many characters of private text would take longer than a log line is worth. */
const most = 65_536

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
  const texts = privateTexts([contentOf(event.data), event.extra])
  return texts.reduce((size, text) => size + text.length, 0) > most
    ? `${names(cause)} (its text is withheld, since the event is too large to be looked for in it)`
    : scrubber([...secrets, ...texts])(Cause.pretty(cause))
}
