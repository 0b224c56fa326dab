import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Code that reads a date as local time fails in this zone, and passes in UTC.
// @effect-diagnostics-next-line processEnv:off
process.env["TZ"] = "America/St_Johns"

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
    provide: { isFull: false },
    testTimeout: 120_000,
    // Two files at a time also where there are only two cores: many of them wait for processes of their own.
    isolate: false,
    minWorkers: 2,
    maxWorkers: 2
  }
})
