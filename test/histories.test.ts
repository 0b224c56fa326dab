/**
 * Plays random histories of an application against the simulator and compares each end with a small model. A history
 * contains calls, a batch and durable executions. It also contains faults, webhook deliveries, cancellations,
 * interruptions, changes of the wall clock, frozen processes, crashes and restarts.
 *
 * Each history must meet these conditions:
 *
 * - Each call has one execution in the ledger, one key and the same bytes in each attempt.
 * - The application has each output, or an error with the key or the id of the execution.
 * - The last run of the batch returns every paid execution once.
 * - The charges equal the sum that the model expects.
 * - Each wait and each interruption ends within its time limit.
 * - A process handles each webhook event once, and rejects each forged event.
 * - No permit, fiber or timer is left.
 *
 * A failure prints the seed, the path and the shrunk history. These commands repeat the failure and play 10,000 other
 * histories:
 *
 *     HISTORY_SEED=1 HISTORY_PATH=7:0:2 npx vitest run --config test/vitest.config.ts test/histories.test.ts
 *     HISTORY_SEED=2 npm run test:histories
 */
import { assert, describe, inject, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { checkHistory, coverageOf } from "./utils/histories/checkLimits.js"
import { formatHistory, type History, history } from "./utils/histories/commands.js"
import { playHistory } from "./utils/histories/play.js"
import { numRuns } from "./utils/suite.js"

declare module "vitest" {
  interface ProvidedContext {
    /** Environment variables of this test. */
    readonly histories: {
      readonly runs: number | undefined
      readonly seed: number | undefined
      readonly path: string | undefined
    }
  }
}

const { path, runs = numRuns(15, 500), seed = 20_260_320 } = inject("histories")

/** Returns the message of a failed property. */
const formatFailure = ({ counterexample, counterexamplePath, errorInstance, numShrinks }: fc.RunDetails<[History]>) =>
  [
    errorInstance instanceof Error ? errorInstance.message : String(errorInstance),
    `HISTORY_SEED=${seed} HISTORY_PATH=${counterexamplePath}, after ${numShrinks} shrinks:`,
    ...(counterexample === null ? [] : [formatHistory(counterexample[0])])
  ].join("\n")

describe("an application", () => {
  it(`pays for each call once and loses no output in ${runs} random histories (seed ${seed})`, async () => {
    const coverage = new Map<string, number>()
    const property = fc.asyncProperty(history, async (history) => {
      const played = await Effect.runPromise(playHistory(history))
      for (const name of coverageOf(played)) coverage.set(name, (coverage.get(name) ?? 0) + 1)
      const problems = checkHistory(played)
      if (problems.length > 0) assert.fail(problems.join("\n"))
    })
    const details = await fc.check(property, { seed, numRuns: runs, ...(path === undefined ? {} : { path }) })
    if (details.failed) assert.fail(formatFailure(details))
    // The histories must contain each kind of event, or the checks would pass trivially.
    const kinds = ["Output", "Interrupted", "resumed call", "restarted process", "handled event", "Succeeded", "fault"]
    for (const kind of path === undefined ? kinds : []) assert.isAtLeast(coverage.get(kind) ?? 0, runs / 10, kind)
  }, 3_600_000)
})
