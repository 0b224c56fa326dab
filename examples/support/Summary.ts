/**
 * What a run of a batch has come to, in words.
 */
import type { Batch } from "effect-modelroute"
import { dollars } from "./ProgressLine.js"

/** How many there are of each: of errors by their tag. */
export interface Counts {
  readonly succeeded: number
  /** Made, but not on the disk. */
  readonly unsaved: number
  readonly notAttempted: number
  readonly failed: { readonly [tag: string]: number }
  /** Those of the failed that fail again as long as their line is the same. */
  readonly lasting: number
}

export const none: Counts = { succeeded: 0, unsaved: 0, notAttempted: 0, failed: {}, lasting: 0 }

const isLasting = ({ error, final }: Batch.Failed<unknown>): boolean =>
  final ? !error.retryable : error._tag === "InvalidRequest" || error._tag === "SubmissionOutcomeUnknown"

export const counted = (counts: Counts, outcome: Batch.Outcome<unknown>, isSaved: boolean): Counts => {
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
        lasting: counts.lasting + (isLasting(outcome) ? 1 : 0)
      }
    }
  }
}

const some = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : [])

const failures = ({ failed }: Counts) => Object.values(failed).reduce((a, b) => a + b, 0)

/** What has come of it, and what has been paid, in earlier runs or in this one. */
export const text = (counts: Counts, cost: string): string => {
  const { failed, notAttempted, succeeded, unsaved } = counts
  const why = Object.entries(failed).map(([tag, count]) => `${count} ${tag}`)
  const parts = [
    `${succeeded} succeeded`,
    ...some(unsaved, "made but not saved"),
    ...some(failures(counts), `failed (${why.join(", ")})`),
    ...some(notAttempted, "not attempted")
  ]
  const all = succeeded + unsaved + failures(counts) + notAttempted
  return `${all} prompts: ${parts.join(", ")}. ${dollars(cost)} paid in all.`
}

const cures: { readonly [R in Batch.StopReason]?: string } = {
  InsufficientBalance: "The balance is used up. When it is topped up, the same command goes on from here:",
  Unauthorized: "The API key is not accepted. With another MODELROUTE_API_KEY the same command goes on from here:",
  MaxCost: "--max-cost leaves no room for another. With a higher one the same command goes on from here:"
}

/** What to do about the rest, `again` being the command. */
export const cure = (counts: Counts, again: string, stopped?: Batch.StopReason): ReadonlyArray<string> => {
  const { lasting, notAttempted, unsaved } = counts
  const open = notAttempted + unsaved + failures(counts) - lasting
  const goOn = (stopped && cures[stopped]) ?? "The same command goes on from here, and pays for nothing twice:"
  return [
    ...some(lasting, "failed for good; the same command tries a line again when it has been corrected."),
    ...(open > 0 ? [goOn, `  ${again}`] : [])
  ]
}

export const exitCode = (counts: Counts, stopped?: Batch.StopReason): number => {
  if (counts.notAttempted + counts.unsaved + failures(counts) === 0) return 0
  return stopped === "Stopped" ? 130 : 1
}
