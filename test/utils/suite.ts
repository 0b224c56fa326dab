/** Distinguishes the two suites: `npm test` is quick, and `npm run test:full` also runs the slow tests. */
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    readonly isFull: boolean
  }
}

/** True in the full suite, which also runs slow tests: kills, load and thousands of random histories. */
export const isFull: boolean = inject("isFull")

/** Returns the number of runs of a random test. */
export const numRuns = (quick: number, full: number): number => (isFull ? full : quick)
