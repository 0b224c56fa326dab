/** Selects the test suite. `npm test` runs the quick tests, and `npm run test:full` also runs the slow tests. */
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    readonly isFull: boolean
  }
}

/** `true` in the full suite. It also runs slow tests with kills, load or thousands of random histories. */
export const isFull: boolean = inject("isFull")

/** Returns the number of runs of a randomized test. */
export const numRuns = (quick: number, full: number): number => (isFull ? full : quick)
