/**
 * Tests each operation over each transport against each fault of a server on real sockets. The quick suite tests a
 * sample. The full suite tests all cells.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { silent } from "../utils/harness.js"
import { isFull } from "../utils/suite.js"
import { type Cell, nameOf, type Observed, runCell } from "./cell.js"
import { type Expected, expectedOf, rules } from "./expectations.js"
import type { Fault } from "./fault.js"
import { faults } from "./faults.js"
import { operations } from "./operations.js"
import { makeSummary } from "./summary.js"
import { transportNames } from "./transports.js"

const seed = 20_260_320

/** Number of cells that run at the same time. */
const concurrency = 12

/** Returns all cells of a fault. */
const cellsOf = (fault: Fault): ReadonlyArray<Cell> =>
  operations
    .filter(({ name }) => fault.operations?.includes(name) ?? true)
    .flatMap((operation) => transportNames.map((transport) => ({ fault, operation, transport })))

/** Selects one random operation for each transport. */
const sampleOf = (fault: Fault): Effect.Effect<ReadonlyArray<Cell>> =>
  Effect.map(Random.shuffle(cellsOf(fault)), (shuffled) => {
    const cells = [...shuffled]
    return transportNames.flatMap((name) => cells.filter(({ transport }) => transport === name).slice(0, 1))
  }).pipe(Effect.withRandom(Random.make(`${seed} ${fault.name}`)))

/** Returns the differences between the result of a cell and its declaration. */
const differences = (observed: Observed, expected: Expected | undefined): ReadonlyArray<string> => {
  if (expected === undefined) return ["no rule declares the cell"]
  const [minAttempts, maxAttempts] = expected.attempts
  const [minCreated, maxCreated] = expected.created
  return [
    ...(expected.outcomes.includes(observed.outcome) ? [] : [`outcome instead of ${expected.outcomes.join(" or ")}`]),
    ...(observed.attempts >= minAttempts && observed.attempts <= maxAttempts
      ? []
      : [`attempts instead of ${expected.attempts.join(" to ")}`]),
    ...(observed.created >= minCreated && observed.created <= maxCreated
      ? []
      : [`objects instead of ${expected.created.join(" to ")}`]),
    ...observed.problems
  ]
}

const unhandled: Array<unknown> = []
const onUnhandled = (error: unknown): void => void unhandled.push(error)
const summary = makeSummary()

beforeAll(() => {
  process.on("unhandledRejection", onUnhandled)
  process.on("uncaughtExceptionMonitor", onUnhandled)
})

afterAll(() => {
  process.off("unhandledRejection", onUnhandled)
  process.off("uncaughtExceptionMonitor", onUnhandled)
  process.stdout.write(summary.render(unhandled.length))
})

describe("fault matrix", () => {
  it("has a rule for each fault and a fault for each rule", () => {
    assert.deepStrictEqual(faults.map(({ name }) => name).sort(), Object.keys(rules).sort())
  })

  for (const fault of faults.filter(({ isSlow }) => isFull || isSlow !== true)) {
    it.live(`${fault.name} > each call ends with the declared result and leaves no socket`, () =>
      Effect.gen(function* () {
        const cells = isFull ? cellsOf(fault) : yield* sampleOf(fault)
        const failures = yield* Effect.forEach(
          cells,
          (cell) =>
            Effect.map(runCell(cell), (observed) => {
              const expected = expectedOf(cell)
              summary.add(observed, expected !== undefined)
              const found = differences(observed, expected)
              const { attempts, created, outcome } = observed
              const result = `${outcome}, ${attempts} attempts, ${created} objects`
              return found.length === 0 ? [] : [`${nameOf(cell)}: ${result}: ${found.join("; ")}`]
            }),
          { concurrency }
        )
        assert.deepStrictEqual(failures.flat(), [])
        assert.deepStrictEqual(unhandled, [])
      }).pipe(silent)
    )
  }
})
