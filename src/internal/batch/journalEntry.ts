/**
 * What is written down of each item of a batch, so that a later run can go on from there.
 */
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import * as ModelRouteError from "../../ModelRouteError.js"
import { Attributes } from "../data/lenient.js"
import * as money from "../data/money.js"
import type { Earlier } from "./costBudget.js"

/**
 * How far an item has come, each step written before it counts: `Submitted`: its key is fixed, and a create may be sent under it;
 * `Accepted`: the id of its execution is known; `Ended`: its outcome is final; `Delivered`: that outcome was handed out, and
 * whoever took it has asked for the next. `Refused`: nothing was executed, and a later run submits it again: under another key where the
 * account was refused (402, 401) or the request has changed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalStep = Schema.Literal("Submitted", "Refused", "Accepted", "Ended", "Delivered")

/**
 * How far an item has come.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalStep = typeof JournalStep.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * What a journal holds of one item: all that is known of it, so that each entry takes the place of the one before.
 *
 * @since 0.1.0
 * @category schemas
 */
export class JournalEntry extends Schema.Class<JournalEntry>("effect-modelroute/Batch/JournalEntry")({
  /** The item's own key within its batch. */
  key: Schema.String,
  step: JournalStep,
  /** Counts how often it was to be submitted anew, from 1. */
  attempt: Schema.Number,
  /** 128 bits of the SHA-256 of the request, in hex: whether a later run still means the same. Empty where it takes an effect to make. */
  digest: Schema.String,
  /** The body of the request, as long as it may have to be sent again. */
  body: optional(Attributes),
  idempotencyKey: Schema.String,
  /** Before the idempotency key was first sent, if it was. */
  submittedAt: Schema.DateTimeUtc,
  /** The run that has submitted it, or has found that it had failed. */
  run: optional(Schema.String),
  executionId: optional(Execution.ExecutionId),
  model: optional(Schema.String),
  /** Dollars, a decimal string: what was held for it, or was expected to be. */
  hold: optional(Schema.String),
  /** How it ended. */
  completed: optional(Execution.Completed),
  /**
   * How it ended; of a refused one, what the API has answered where it has refused the account; of an accepted one, that the API
   * did not know its execution when it was looked for.
   */
  error: optional(ModelRouteError.AwaitFailure)
}) {}

/** @internal Of fields that are right: to check them once more at each step would cost time. */
export const entryOf = (fields: ConstructorParameters<typeof JournalEntry>[0]): JournalEntry =>
  new JournalEntry(fields, { disableValidation: true })

const steps: ReadonlyArray<JournalStep> = JournalStep.literals

/** @internal Dollars, a decimal string: what an item costs, or holds as long as its execution may run. */
export const committed = ({ completed, hold, step }: JournalEntry): string | undefined => {
  switch (step) {
    case "Submitted":
    case "Accepted":
      return hold
    case "Refused":
      return undefined
    case "Ended":
    case "Delivered":
      // Where the API does not tell the cost, it is at most the hold.
      return completed === undefined ? undefined : (completed.cost ?? hold)
  }
}

/** @internal Whether an item may have cost, or hold, an amount that the API has not told. */
export const isCostUnknown = (entry: JournalEntry): boolean => {
  const mayHaveCost = entry.step === "Submitted" || entry.step === "Accepted" || entry.completed !== undefined
  return mayHaveCost && money.parse(committed(entry)) === undefined
}

/** @internal A submission that an entry tells of, as far as it is about money. */
export const earlier = (entry: JournalEntry): Earlier => ({
  model: entry.model ?? "",
  amount: money.parse(committed(entry)) ?? money.zero,
  // What an execution was expected to hold says nothing of another.
  hold: entry.executionId === undefined ? undefined : money.parse(entry.hold),
  isUnknown: isCostUnknown(entry)
})

/**
 * Grows with each entry that is written for an item: one with a lower number is older, and may not take the place of a younger one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const revision = ({ attempt, step }: JournalEntry): number => attempt * 10 + steps.indexOf(step)
