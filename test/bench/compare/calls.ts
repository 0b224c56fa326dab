/**
 * Compares the cost of a create request. One group measures the allocated memory, without garbage collection. The other
 * group measures the CPU time and the latency with the default heap. Its CPU time includes garbage collection.
 */
import { allContestants, decodingContestants } from "./contestants.js"
import type { Group } from "./figure.js"
import { allocationFlags, builtInFetchFlags, type Load, measureLoads, withServer } from "./measure.js"

const ratios: Group["ratios"] = [
  { contestant: "effect-modelroute over undici", peer: "HttpClient over undici" },
  { contestant: "effect-modelroute over undici", peer: "undici" },
  { contestant: "effect-modelroute over undici", peer: "stripe" },
  { contestant: "effect-modelroute over fetch", peer: "HttpClient over fetch" },
  { contestant: "effect-modelroute over fetch", peer: "fetch" },
  { contestant: "effect-modelroute over fetch", peer: "openai" }
]

/** Returns the load with 64 concurrent calls for each kind of response. */
const loadsAt64 = async (
  url: string,
  load: Pick<Load, "calls" | "metrics" | "samples">
): Promise<ReadonlyArray<Load>> => {
  const at64 = { ...load, concurrency: 64 }
  return [
    { ...at64, name: "create, 64 concurrent", contestants: await allContestants(url) },
    { ...at64, name: "create, 64 concurrent, chunked response", contestants: await allContestants(`${url}/chunked`) },
    {
      ...at64,
      name: "create, 64 concurrent, gzip response",
      calls: 128,
      contestants: await decodingContestants(`${url}/gzip`)
    }
  ]
}

export const calls: Group = {
  name: "calls",
  nodeFlags: [...allocationFlags, ...builtInFetchFlags],
  measure: (rounds) =>
    withServer(async (url) =>
      measureLoads(await loadsAt64(url, { calls: 128, samples: 1, metrics: ["allocated"] }), rounds)
    ),
  ratios
}

export const callsCpu: Group = {
  name: "calls-cpu",
  nodeFlags: builtInFetchFlags,
  measure: (rounds) =>
    withServer(async (url) => {
      const contestants = await allContestants(url)
      const loads: ReadonlyArray<Load> = [
        {
          name: "create, sequential",
          contestants,
          calls: 15,
          samples: 10,
          concurrency: 1,
          metrics: ["latency p50", "CPU"]
        },
        ...(await loadsAt64(url, { calls: 128, samples: 2, metrics: ["CPU"] })),
        { name: "create, 512 concurrent", contestants, calls: 512, samples: 1, concurrency: 512, metrics: ["CPU"] }
      ]
      return measureLoads(loads, rounds)
    }),
  ratios
}
