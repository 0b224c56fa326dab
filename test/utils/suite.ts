/** The two suites: `npm test` is quick, and `npm run test:full` also runs what takes long. */
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    readonly isFull: boolean
  }
}

/** Whether the tests run that take long: kills, loads, thousands of random histories. */
export const isFull: boolean = inject("isFull")

/** How often a random test repeats. */
export const numRuns = (quick: number, full: number): number => (isFull ? full : quick)
