/**
 * Compares the cost of a create request without single parts of this package. Each contestant removes one part with a
 * public option. The CPU time excludes garbage collection.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import { Duration, Effect } from "effect"
import { RateLimitGate, RetryPolicy } from "effect-modelroute"
import { createRequest, effectContestant, makeModelRoute, makePlainCall, type Transport } from "./contestants.js"
import type { Group } from "./figure.js"
import { allocationFlags, builtInFetchFlags, measureLoads, withServer } from "./measure.js"

type MakeCall = Effect.Effect<Effect.Effect<unknown, unknown>, unknown, HttpClient.HttpClient>

/** Creates a call with `executions.create`. */
const makeCreate = (...[baseUrl, options]: Parameters<typeof makeModelRoute>) =>
  Effect.map(makeModelRoute(baseUrl, options), ({ executions }) =>
    Effect.suspend(() => executions.create(createRequest))
  )

/** Creates a call with `request`. This method sends no idempotency key and returns the JSON of the response. */
const makeRawRequest = (...[baseUrl, options]: Parameters<typeof makeModelRoute>) =>
  Effect.map(makeModelRoute(baseUrl, options), ({ request }) =>
    Effect.suspend(() => request("POST", "/executions", createRequest))
  )

const withoutGate = Effect.provide(RateLimitGate.layerUnlimited)

const full = "effect-modelroute over undici"

const makeCalls = (baseUrl: string): { readonly [name: string]: MakeCall } => ({
  [full]: makeCreate(baseUrl),
  "without the rate limit gate": withoutGate(makeCreate(baseUrl)),
  "with an infinite time limit": makeCreate(baseUrl, { attemptTimeout: Duration.infinity }),
  "without retries": makeCreate(baseUrl, { retry: RetryPolicy.none }),
  "without a generated key": Effect.map(makeModelRoute(baseUrl), ({ executions }) =>
    Effect.suspend(() => executions.create(createRequest, { idempotencyKey: "key" }))
  ),
  "without a key and without decoding": makeRawRequest(baseUrl),
  "HttpClient over undici": makePlainCall(baseUrl)
})

const makeCallsWithoutSpans = (baseUrl: string): { readonly [name: string]: MakeCall } => ({
  "without spans": makeCreate(baseUrl),
  "without all of these parts": withoutGate(
    makeRawRequest(baseUrl, { attemptTimeout: Duration.infinity, retry: RetryPolicy.none })
  ),
  "HttpClient over undici, without spans": makePlainCall(baseUrl)
})

const contestantsOf = (calls: { readonly [name: string]: MakeCall }, transport: Transport) =>
  Object.entries(calls).map(([name, makeCall]) => effectContestant(name, transport, makeCall))

const names = Object.keys({ ...makeCalls(""), ...makeCallsWithoutSpans("") })

export const ablation: Group = {
  name: "ablation",
  nodeFlags: [...allocationFlags, ...builtInFetchFlags],
  measure: (rounds) =>
    withServer(async (url) => {
      const contestants = await Promise.all([
        ...contestantsOf(makeCalls(url), "undici"),
        ...contestantsOf(makeCallsWithoutSpans(url), "undiciWithoutSpans")
      ])
      return measureLoads(
        [
          {
            name: "create without single parts, 64 concurrent",
            contestants,
            calls: 512,
            samples: 1,
            concurrency: 64,
            metrics: ["allocated", "CPU"]
          },
          {
            name: "create without single parts, sequential",
            contestants,
            calls: 25,
            samples: 4,
            concurrency: 1,
            metrics: ["latency p50", "CPU"]
          }
        ],
        rounds
      )
    }),
  ratios: names.filter((name) => name !== full).map((contestant) => ({ contestant, peer: full }))
}
