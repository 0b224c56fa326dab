import { defineConfig, mergeConfig } from "vitest/config"
import quick from "./vitest.config.js"

export default mergeConfig(
  quick,
  defineConfig({
    test: {
      provide: { isFull: true },
      // A machine under load takes minutes where an idle one takes seconds.
      testTimeout: 600_000
    }
  })
)
