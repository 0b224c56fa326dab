/**
 * Interrupts calls over real sockets at random moments and prints what is left after each quarter of the calls. Fails if
 * a permit, fiber, request, listener or connection is left.
 *
 *     npm run bench:leaks [-- --calls 100000 --seed 1 --transport undici --minutes 10]
 *
 * `--minutes` replaces `--calls`. Both apply to all transports together. Default: 100,000 calls over all transports.
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { silent } from "../utils/harness.js"
import { findLeaks, heapGrowth, interruptCalls, type TransportName, transports } from "../utils/leaks.js"

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "100000" },
    minutes: { type: "string" },
    seed: { type: "string", default: "1" },
    transport: { type: "string" }
  }
})

const isTransport = (name: string): name is TransportName => name in transports
const names = Object.keys(transports)
  .filter(isTransport)
  .filter((name) => values.transport === undefined || values.transport === name)

const until =
  values.minutes === undefined
    ? { calls: Math.ceil(Number(values.calls) / names.length) }
    : { millis: (Number(values.minutes) * 60_000) / names.length }

const runOne = (transport: TransportName) =>
  Effect.gen(function* () {
    const options = { transport, seed: Number(values.seed), until, concurrency: 20 }
    const report = yield* interruptCalls(options)
    const { connectionsLeft, interrupted, requests, samples } = report
    yield* Console.log(`${transport}: ${interrupted} interrupted calls, ${requests} requests`)
    for (const { calls, heapBytes, ...counts } of samples) {
      const rest = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
      yield* Console.log(`  ${calls} calls: heap ${(heapBytes / 1e6).toFixed(2)} MB, ${rest.join(", ")}`)
    }
    yield* Console.log(`  ${connectionsLeft} connections left, heap growth ${(heapGrowth(report) / 1e6).toFixed(2)} MB`)
    const leaks = findLeaks(report, options)
    for (const leak of leaks) yield* Console.log(`  LEAK: ${leak}`)
    return leaks.length === 0
  })

NodeRuntime.runMain(
  Effect.flatMap(silent(Effect.forEach(names, runOne)), (results) =>
    results.every(Boolean) ? Effect.void : Effect.dieMessage("something is left")
  )
)
