/** Runs the tests of one folder of the mutation tests. `test/mutation/run.ts` passes the globs of the tests in an environment variable. */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import quick from "./vitest.config.js"

// @effect-diagnostics-next-line processEnv:off
const tests = process.env["MUTATION_TESTS"]

export default defineConfig({
  ...quick,
  test: {
    ...quick.test,
    include: tests === undefined ? [] : JSON.parse(tests),
    globalSetup: [],
    provide: { ...quick.test?.provide, postgres: { url: "", reason: "Mutation tests use no database" } },
    // Stryker reports the results. The default reporter would print the source of each failed test.
    reporters: [{}],
    setupFiles: [fileURLToPath(new URL("mutation/resetMutant.ts", import.meta.url))],
    // A mutant can suspend a test forever.
    testTimeout: 15_000,
    minWorkers: 1,
    maxWorkers: 1
  }
})
