/**
 * The journal's record of one item. A later run continues from it.
 *
 * @internal
 */
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import * as ModelRouteError from "../../ModelRouteError.js"
import { Attributes } from "../data/lenient.js"
import * as money from "../data/money.js"
import { StoredCompleted } from "../executions/decode.js"
import type { EarlierSubmission } from "./costBudget.js"

/**
 * The steps of an item. Each step is written to the journal before it takes effect.
 *
 * - `Submitted`: the idempotency key is fixed, and a create may be sent under it.
 * - `Refused`: the API executed nothing, and a later run submits the item again. It uses a new idempotency key after a
 *   401 or 402, or if the request has changed.
 * - `Accepted`: the id of the execution is known.
 * - `Ended`: the outcome is final.
 * - `Delivered`: the outcome was delivered, and its consumer has asked for the next one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalStep = Schema.Literal("Submitted", "Refused", "Accepted", "Ended", "Delivered")

/**
 * The latest step of an item.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalStep = typeof JournalStep.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * The journal's record of one item. An entry is complete, so that it replaces the one before.
 *
 * @since 0.1.0
 * @category schemas
 */
export class JournalEntry extends Schema.Class<JournalEntry>("effect-modelroute/Batch/JournalEntry")({
  /** The item's key within its batch. */
  key: Schema.String,
  step: JournalStep,
  /** Counts the submissions of the item as a new execution, from 1. */
  attempt: Schema.Number,
  /**
   * First 128 bits of the SHA-256 of the request, in hex. Detects a changed request. Empty if an effect makes the
   * request.
   */
  digest: Schema.String,
  /** The body of the request. Kept until it cannot be needed again. */
  body: optional(Attributes),
  idempotencyKey: Schema.String,
  /** The time just before the first request under the idempotency key. */
  submittedAt: Schema.DateTimeUtc,
  /** Id of the run that submitted the item or found that it had failed. */
  run: optional(Schema.String),
  executionId: optional(Execution.ExecutionId),
  model: optional(Schema.String),
  /** The hold of the execution, or the expected hold. Dollars, as a decimal string. */
  hold: optional(Schema.String),
  /** The completed execution of a step `Ended` or `Delivered`. */
  completed: optional(StoredCompleted),
  /**
   * The failure of a step `Ended` or `Delivered`. With `Refused`, the 401 or 402 of the API. With `Accepted`, the 404
   * or 410 of the last attempt to find the execution.
   */
  error: optional(ModelRouteError.AwaitFailure)
}) {}

/** @internal Builds an entry from valid fields. Skips the validation, which would cost time at each step. */
export const makeEntry = (fields: ConstructorParameters<typeof JournalEntry>[0]): JournalEntry =>
  new JournalEntry(fields, { disableValidation: true })

const steps: ReadonlyArray<JournalStep> = JournalStep.literals

/** @internal Returns the cost of an item, or its hold while its execution may run. Dollars, as a decimal string. */
export const committedAmount = ({ completed, hold, step }: JournalEntry): string | undefined => {
  switch (step) {
    case "Submitted":
    case "Accepted":
      return hold
    case "Refused":
      return undefined
    case "Ended":
    case "Delivered":
      // An unknown cost is at most the hold.
      return completed === undefined ? undefined : (completed.cost ?? hold)
  }
}

/** @internal Returns whether an item may have cost or hold an amount that the API did not report. */
export const isCostUnknown = (entry: JournalEntry): boolean => {
  const mayHaveCost = entry.step === "Submitted" || entry.step === "Accepted" || entry.completed !== undefined
  return mayHaveCost && money.parse(committedAmount(entry)) === undefined
}

/** @internal Returns the amounts of the submission that an entry records. */
export const toEarlierSubmission = (entry: JournalEntry): EarlierSubmission => ({
  model: entry.model ?? "",
  amount: money.parse(committedAmount(entry)) ?? money.zero,
  // Without an execution the hold is only expected. It must not count as the known hold of the model.
  hold: entry.executionId === undefined ? undefined : money.parse(entry.hold),
  isHoldUnknown: isCostUnknown(entry)
})

/**
 * Returns the revision of an entry. It grows with each entry that is written for an item. An entry must not replace one
 * with a higher revision.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { Batch } from "effect-modelroute"
 *
 * export const newer = (a: Batch.JournalEntry, b: Batch.JournalEntry) =>
 *   Batch.revision(a) >= Batch.revision(b) ? a : b
 * ```
 */
export const revision = ({ attempt, step }: JournalEntry): number => attempt * 10 + steps.indexOf(step)
