/** Tests the amounts and the revision of a journal entry, and the errors that name an item. */
import { assert, describe, it } from "@effect/vitest"
import { Batch, Execution } from "effect-modelroute"
import { committedAmount, isCostUnknown, toEarlierSubmission } from "../../src/internal/batch/journalEntry.js"
import { notEncodable } from "../../src/internal/batch/journalFailure.js"
import { settledCost } from "../../src/internal/batch/recordOutcome.js"
import * as money from "../../src/internal/data/money.js"
import { executionId, type Fields, makeEntry } from "../utils/journals.js"

const completedWith = (cost?: string) =>
  new Execution.Completed({
    id: executionId,
    status: "COMPLETED",
    output: {},
    extra: {},
    ...(cost === undefined ? {} : { cost })
  })

const format = (amount: money.Amount | undefined) => amount && money.format(amount)

describe("amounts of a JournalEntry", () => {
  interface Amounts {
    readonly committed: string | undefined
    readonly settled: string | undefined
    readonly isUnknown: boolean
  }
  const unknown: Amounts = { committed: undefined, settled: undefined, isUnknown: true }
  const held: Amounts = { committed: "0.048", settled: undefined, isUnknown: false }
  const zero: Amounts = { committed: undefined, settled: "0", isUnknown: false }
  const cases: ReadonlyArray<readonly [name: string, Batch.JournalStep, Fields, Amounts]> = [
    ["a submission", "Submitted", { hold: "0.048" }, held],
    ["a submission without a hold", "Submitted", {}, unknown],
    ["an accepted execution", "Accepted", { hold: "0.048" }, held],
    ["an accepted execution without a hold", "Accepted", {}, unknown],
    ["an accepted execution with an invalid hold", "Accepted", { hold: "much" }, { ...unknown, committed: "much" }],
    ["a refused request", "Refused", { hold: "0.048" }, zero],
    ["a failed execution", "Ended", { hold: "0.048" }, zero],
    ["a delivered failure", "Delivered", { hold: "0.048" }, zero],
    ...(["Ended", "Delivered"] as const).flatMap(
      (step) =>
        [
          [
            `a completed execution (${step})`,
            step,
            { hold: "0.048", completed: completedWith("0.04") },
            { committed: "0.04", settled: "0.04", isUnknown: false }
          ],
          [
            `a completed execution without a cost (${step})`,
            step,
            { hold: "0.048", completed: completedWith() },
            { committed: "0.048", settled: "0.048", isUnknown: false }
          ],
          [`a completed execution without amounts (${step})`, step, { completed: completedWith() }, unknown]
        ] as const
    )
  ]
  for (const [name, step, fields, expected] of cases) {
    it(`are known for ${name}`, () => {
      const entry = makeEntry("1", step, fields)
      assert.deepStrictEqual(
        { committed: committedAmount(entry), settled: format(settledCost(entry)), isUnknown: isCostUnknown(entry) },
        expected
      )
    })
  }
})

describe("toEarlierSubmission", () => {
  const submissionOf = (step: Batch.JournalStep, fields: Fields) => {
    const { amount, hold, ...rest } = toEarlierSubmission(makeEntry("1", step, fields))
    return { amount: format(amount), hold: format(hold), ...rest }
  }

  it("contains the hold that the API has reported", () => {
    assert.deepStrictEqual(submissionOf("Accepted", { executionId, hold: "0.048", model: "flux-1.1-pro" }), {
      model: "flux-1.1-pro",
      amount: "0.048",
      hold: "0.048",
      isHoldUnknown: false
    })
  })

  it("contains no hold before the API has accepted the execution", () => {
    assert.deepStrictEqual(submissionOf("Submitted", { hold: "0.048", model: "flux-1.1-pro" }), {
      model: "flux-1.1-pro",
      amount: "0.048",
      hold: undefined,
      isHoldUnknown: false
    })
  })

  it("has an unknown hold without an amount", () => {
    const { amount, hold, isHoldUnknown } = submissionOf("Accepted", { executionId })
    assert.deepStrictEqual([amount, hold, isHoldUnknown], ["0", undefined, true])
  })
})

describe("Batch.revision", () => {
  it("increases with the attempt, and then with the step", () => {
    const steps = Batch.JournalStep.literals
    const entries = [1, 2, 12].flatMap((attempt) => steps.map((step) => makeEntry("1", step, { attempt })))
    const revisions = entries.map(Batch.revision)
    assert.deepStrictEqual(
      revisions,
      revisions.toSorted((a, b) => a - b)
    )
    assert.strictEqual(new Set(revisions).size, entries.length)
  })
})

describe("JournalError", () => {
  it("contains at most 100 characters of an item key", () => {
    const messageFor = (key: string) => notEncodable(key).message
    assert.include(messageFor(`${"x".repeat(99)}y`), `item "${"x".repeat(99)}y" cannot`)
    assert.include(messageFor(`${"x".repeat(99)}yz`), `item "${"x".repeat(99)}y…" cannot`)
    assert.strictEqual(notEncodable("1").operation, "Batch.run")
  })
})
