/**
 * Starts the backend for the load test with short retry delays. Reports the heap size on request.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Layer } from "effect"
import { RetryPolicy } from "effect-modelroute"
import { program } from "../main.js"

process.on("message", () => {
  globalThis.gc?.()
  process.send?.(process.memoryUsage().heapUsed)
})

NodeRuntime.runMain(
  Layer.launch(
    program({
      attemptTimeout: "5 seconds",
      retry: RetryPolicy.make({ backoff: { base: "20 millis", times: 1, jitter: "equal" } })
    })
  )
)
