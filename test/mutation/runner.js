/**
 * Runs Vitest for Stryker, and keeps the worker of Vitest between two mutants. Without this plugin, Vitest starts a worker and loads all
 * modules again for each mutant, which takes longer than the tests.
 */
import { declareFactoryPlugin, PluginKind } from "@stryker-mutator/api/plugin"
import { strykerPlugins as vitestPlugins } from "@stryker-mutator/vitest-runner"
import { Tinypool } from "tinypool"

export { strykerValidationSchema } from "@stryker-mutator/vitest-runner"

const restartWorkers = Tinypool.prototype.recycleWorkers

/** @type {Set<Tinypool>} */
const pools = new Set()

let isStaticLoaded = false

/** Stops the workers, so that the next tests load all modules again. */
const restart = () => Promise.all([...pools].map((pool) => restartWorkers.call(pool)))

// Vitest calls this method after each run if isolation is off.
Tinypool.prototype.recycleWorkers = function () {
  pools.add(this)
  return Promise.resolve()
}

/**
 * @param {import("@stryker-mutator/api/test-runner").TestRunner} runner
 * @param {import("@stryker-mutator/api/test-runner").MutantRunOptions} options
 */
const runMutant = async (runner, options) => {
  // A static mutant changes the values that modules compute when they load.
  if (options.mutantActivation === "static" || isStaticLoaded) await restart()
  isStaticLoaded = options.mutantActivation === "static"
  const result = await runner.mutantRun(options)
  // A test that reached its time limit can have left a running loop in the worker.
  if (result.status === "killed" && result.failureMessage.includes("timed out")) await restart()
  return result
}

/**
 * @param {import("@stryker-mutator/api/plugin").Injector<import("@stryker-mutator/api/plugin").PluginContext>} injector
 * @returns {import("@stryker-mutator/api/test-runner").TestRunner}
 */
const makeRunner = (injector) => {
  const [plugin] = vitestPlugins
  if (plugin === undefined) throw new Error("The Vitest runner of Stryker exports no plugin.")
  const runner = injector.injectFunction(plugin.factory)
  return {
    capabilities: () => runner.capabilities(),
    init: async () => runner.init?.(),
    dryRun: (options) => runner.dryRun(options),
    mutantRun: (options) => runMutant(runner, options),
    dispose: async () => runner.dispose?.()
  }
}
makeRunner.inject = /** @type {["$injector"]} */ (["$injector"])

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, "warm-vitest", makeRunner)]
