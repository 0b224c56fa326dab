/** Runs the tests of one folder of the mutation tests. `test/mutation/run.ts` passes the globs of the tests in an environment variable. */
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import quick from "./vitest.config.js"

// @effect-diagnostics-next-line processEnv:off
const tests = process.env["MUTATION_TESTS"]

/**
 * Runs the files that detected the previous mutant first, and then the quick files. Vitest starts with the slow files by default, but the first
 * failure ends the tests of a mutant.
 */
class QuickFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const { cache, config } = this.ctx
    const hasFailed = ({ moduleId, project }: TestSpecification): boolean =>
      cache.getFileTestResults(`${project.name}:${relative(config.root, moduleId)}`)?.failed === true
    const quickFirst = (await super.sort(files)).toReversed()
    return [...quickFirst.filter(hasFailed), ...quickFirst.filter((file) => !hasFailed(file))]
  }
}

export default defineConfig({
  ...quick,
  test: {
    ...quick.test,
    include: tests === undefined ? [] : JSON.parse(tests),
    globalSetup: [],
    provide: {
      ...quick.test?.provide,
      postgres: { url: "postgres://127.0.0.1", reason: "Mutation tests use no database" }
    },
    // Stryker reports the results. The default reporter would print the source of each failed test.
    reporters: [{}],
    setupFiles: [fileURLToPath(new URL("mutation/resetMutant.ts", import.meta.url))],
    // A mutant can suspend a test forever.
    testTimeout: 15_000,
    // Stryker assigns the covered code to the test that started last, so concurrent tests must run one after another.
    maxConcurrency: 1,
    sequence: { sequencer: QuickFirst },
    minWorkers: 1,
    maxWorkers: 1
  }
})
