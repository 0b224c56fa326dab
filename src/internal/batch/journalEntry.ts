/**
 * Defines the journal entry of an item. A later run continues from the entry.
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
 * Steps of an item. A batch writes each step to the journal before the batch continues with the item.
 *
 * - `Submitted`: the idempotency key is set, and a create request with this key may be sent.
 * - `Refused`: the API did not process the create request. A later run submits the item again. After a 401, a 402 or a
 *   change of the request, this submission has a new idempotency key.
 * - `Accepted`: the API accepted the create request, and the execution id is recorded.
 * - `Ended`: the outcome is final.
 * - `Delivered`: the consumer has received the outcome and requested the next outcome.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalStep = Schema.Literal("Submitted", "Refused", "Accepted", "Ended", "Delivered")

/**
 * Latest step of an item.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalStep = typeof JournalStep.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * Journal entry of an item. Each entry is complete and replaces the previous entry.
 *
 * @since 0.1.0
 * @category schemas
 */
export class JournalEntry extends Schema.Class<JournalEntry>("effect-modelroute/Batch/JournalEntry")({
  /** Key of the item within its batch. */
  key: Schema.String,
  /** Latest step of the item. */
  step: JournalStep,
  /** Number of the submission, starting at 1. A resend of the same submission does not increase the number. */
  attempt: Schema.Number,
  /**
   * First 128 bits of a SHA-256 hash, as hexadecimal digits. The hash is of `version`, or of the request if `version`
   * is absent. A later run compares the digests to detect a changed request. The digest is empty if the request is
   * unknown before the submission, for example a request from an effect.
   */
  digest: Schema.String,
  /** Body of the create request. Present until the API accepts or permanently rejects the request. */
  body: optional(Attributes),
  /** Idempotency key of the create request. A resend of the same submission uses the same key. */
  idempotencyKey: Schema.String,
  /** Time immediately before the first request with the idempotency key. */
  submittedAt: Schema.DateTimeUtc,
  /** Id of the run that submitted the item or recorded its failure. */
  run: optional(Schema.String),
  /** Id of the execution. Absent unless the API has accepted the create request. */
  executionId: optional(Execution.ExecutionId),
  /** Slug of the model in the create request. */
  model: optional(Schema.String),
  /** Hold of the execution, or the expected hold before the API has reported the hold. Decimal string in dollars. */
  hold: optional(Schema.String),
  /** Completed execution. Present only in the steps `Ended` and `Delivered`. */
  completed: optional(StoredCompleted),
  /**
   * Error of the item:
   *
   * - `Ended` and `Delivered`: the failure of the item.
   * - `Refused`: the 401 or 402 from the API.
   * - `Accepted`: the 404 or 410 from the latest attempt to find the execution.
   */
  error: optional(ModelRouteError.AwaitFailure)
}) {}

/** @internal Builds an entry from valid fields. Skips the validation to save time at each step. */
export const makeEntry = (fields: ConstructorParameters<typeof JournalEntry>[0]): JournalEntry =>
  new JournalEntry(fields, { disableValidation: true })

const steps: ReadonlyArray<JournalStep> = JournalStep.literals

/** @internal Returns whether the API may run an execution for the item. */
export const mayRun = ({ step }: JournalEntry): boolean => step === "Submitted" || step === "Accepted"

/**
 * Returns the amount that an item counts toward `maxCost`, as a decimal string in dollars. The amount is the hold while
 * the execution may run, and otherwise the cost. Returns `undefined` if the entry contains no amount.
 *
 * @internal
 */
export const committedAmount = (entry: JournalEntry): string | undefined => {
  if (mayRun(entry)) return entry.hold
  // If the API did not report the cost, the hold counts instead, because the cost is at most the hold.
  return entry.completed === undefined ? undefined : (entry.completed.cost ?? entry.hold)
}

/** @internal Returns whether an item may have a cost or a hold whose amount is missing from the entry. */
export const isCostUnknown = (entry: JournalEntry): boolean =>
  (mayRun(entry) || entry.completed !== undefined) && money.parse(committedAmount(entry)) === undefined

/** @internal Converts a journal entry to an earlier submission for the cost budget. */
export const toEarlierSubmission = (entry: JournalEntry): EarlierSubmission => ({
  model: entry.model ?? "",
  amount: money.parse(committedAmount(entry)) ?? money.zero,
  // Before the API accepts the execution, `hold` is an estimate. An estimate must not become the known hold of the
  // model.
  hold: entry.executionId === undefined ? undefined : money.parse(entry.hold),
  isHoldUnknown: isCostUnknown(entry)
})

/**
 * Returns the revision of an entry. The revision of an item never decreases from one entry to the next. An entry must
 * not replace an entry with a higher revision.
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
export const revision = (entry: JournalEntry): number => entry.attempt * 10 + steps.indexOf(entry.step)
