/**
 * Summarizes a run of a batch.
 */
import type { Batch } from "effect-modelroute"
import { dollars } from "./ProgressLine.js"

/** Number of outcomes of each kind. Failures are counted by tag. */
export interface Counts {
  readonly succeeded: number
  /** Number of succeeded items without saved files. */
  readonly unsaved: number
  readonly notAttempted: number
  readonly failed: { readonly [tag: string]: number }
  /** Number of failures that recur until the line is corrected. */
  readonly permanent: number
}

export const none: Counts = { succeeded: 0, unsaved: 0, notAttempted: 0, failed: {}, permanent: 0 }

const isPermanent = ({ error, final }: Batch.Failed<unknown>): boolean =>
  final ? !error.retryable : error._tag === "InvalidRequest" || error._tag === "SubmissionOutcomeUnknown"

/** Adds an outcome to the counts. */
export const add = (counts: Counts, outcome: Batch.Outcome<unknown>, isSaved: boolean): Counts => {
  switch (outcome._tag) {
    case "Succeeded":
      return isSaved ? { ...counts, succeeded: counts.succeeded + 1 } : { ...counts, unsaved: counts.unsaved + 1 }
    case "NotAttempted":
      return { ...counts, notAttempted: counts.notAttempted + 1 }
    case "Failed": {
      const { _tag: tag } = outcome.error
      return {
        ...counts,
        failed: { ...counts.failed, [tag]: (counts.failed[tag] ?? 0) + 1 },
        permanent: counts.permanent + (isPermanent(outcome) ? 1 : 0)
      }
    }
  }
}

const some = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : [])

const failures = ({ failed }: Counts) => Object.values(failed).reduce((a, b) => a + b, 0)

/** Returns the summary. The cost includes earlier runs. */
export const text = (counts: Counts, cost: string): string => {
  const { failed, notAttempted, succeeded, unsaved } = counts
  const why = Object.entries(failed).map(([tag, count]) => `${count} ${tag}`)
  const parts = [
    `${succeeded} succeeded`,
    ...some(unsaved, "not saved"),
    ...some(failures(counts), `failed (${why.join(", ")})`),
    ...some(notAttempted, "not attempted")
  ]
  const all = succeeded + unsaved + failures(counts) + notAttempted
  return `${all} prompts: ${parts.join(", ")}. ${dollars(cost)} paid in all.`
}

const adviceByReason: { readonly [R in Batch.StopReason]?: string } = {
  InsufficientBalance: "The balance is exhausted. Top up the balance and run the same command:",
  Unauthorized: "The API key was rejected. Set another MODELROUTE_API_KEY and run the same command:",
  MaxCost: "--max-cost is reached. Raise --max-cost in the same command:"
}

/** Returns advice for the remaining prompts. `again` is the command that continues the batch. */
export const adviceFor = (counts: Counts, again: string, stopped?: Batch.StopReason): ReadonlyArray<string> => {
  const { permanent, notAttempted, unsaved } = counts
  const open = notAttempted + unsaved + failures(counts) - permanent
  const advice = (stopped && adviceByReason[stopped]) ?? "To continue without paying twice, run the same command:"
  return [
    ...some(permanent, "failed permanently. Correct these lines and run the same command."),
    ...(open > 0 ? [advice, `  ${again}`] : [])
  ]
}

export const exitCode = (counts: Counts, stopped?: Batch.StopReason): number => {
  if (counts.notAttempted + counts.unsaved + failures(counts) === 0) return 0
  return stopped === "Stopped" ? 130 : 1
}
