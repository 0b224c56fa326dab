import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// In UTC, the tests do not detect dates that are parsed as local time.
// @effect-diagnostics-next-line processEnv:off
process.env["TZ"] = "America/St_Johns"

/** Returns the number in an environment variable. */
const numberOf = (name: string): number | undefined => {
  // @effect-diagnostics-next-line processEnv:off
  const text = process.env[name]
  return text === undefined ? undefined : Number(text)
}

const root = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-modelroute$/, replacement: root("src/index.ts") },
      { find: /^effect-modelroute\/(.*)$/, replacement: root("src/$1.ts") }
    ]
  },
  test: {
    root: root(""),
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: "test/utils/postgresSetup.ts",
    provide: {
      isFull: false,
      histories: {
        runs: numberOf("HISTORIES"),
        seed: numberOf("HISTORY_SEED"),
        // @effect-diagnostics-next-line processEnv:off
        path: process.env["HISTORY_PATH"]
      }
    },
    testTimeout: 120_000,
    // Vitest uses one worker on two cores by default. More workers save time while tests wait for timers and processes.
    isolate: false,
    minWorkers: 3,
    maxWorkers: 3
  }
})
