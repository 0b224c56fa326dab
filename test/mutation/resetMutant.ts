/**
 * Deactivates the previous mutant before a test file loads. The setup file of Stryker activates the next mutant only before the first test,
 * and assumes a new worker for each mutant.
 */
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    readonly mutantActivation: "static" | "runtime" | undefined
    readonly globalNamespace: "__stryker__"
  }
}

declare global {
  var __stryker__: { activeMutant: string | undefined } | undefined
}

const stryker = globalThis[inject("globalNamespace")]
if (stryker !== undefined && inject("mutantActivation") !== "static") stryker.activeMutant = undefined
