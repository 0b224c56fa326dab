/** Counts the results of the matrix. */
import type { Observed } from "./cell.js"

export interface Summary {
  readonly add: (observed: Observed, isDeclared: boolean) => void
  /** Returns the counts as text. `unhandled` is the number of unhandled rejections and exceptions. */
  readonly render: (unhandled: number) => string
}

export const makeSummary = (): Summary => {
  const outcomes = new Map<string, number>()
  let cells = 0
  let undeclared = 0
  let duplicates = 0
  let openSockets = 0
  const count = (outcome: string): number => outcomes.get(outcome) ?? 0
  return {
    add: ({ created, hasOpenSockets, outcome }, isDeclared) => {
      cells += 1
      outcomes.set(outcome, count(outcome) + 1)
      if (!isDeclared) undeclared += 1
      if (created > 1) duplicates += 1
      if (hasOpenSockets) openSockets += 1
    },
    render: (unhandled) => {
      const lines = [...outcomes].sort(([, a], [, b]) => b - a).map(([outcome, n]) => `  ${n} × ${outcome}`)
      const promises = [
        `undeclared ${undeclared}`,
        `duplicate executions ${duplicates}`,
        `hangs ${count("hang")}`,
        `open sockets ${openSockets}`,
        `unhandled ${unhandled}`
      ]
      return [`fault matrix: ${cells} cells, ${promises.join(", ")}`, ...lines, ""].join("\n")
    }
  }
}
