import { defineConfig, mergeConfig } from "vitest/config"
import quick from "./vitest.config.js"

export default mergeConfig(
  quick,
  defineConfig({
    test: {
      provide: { isFull: true },
      // A test that takes seconds on an idle machine can take minutes under load.
      testTimeout: 600_000,
      // Slow tests often wait for processes and timers.
      maxWorkers: 3
    }
  })
)
