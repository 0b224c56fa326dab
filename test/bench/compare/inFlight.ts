/** Measures the heap of many calls in flight. The server receives the requests and sends no responses. */
import type * as HttpClient from "@effect/platform/HttpClient"
import { Effect } from "effect"
import { createRequest, makeModelRoute, makePlainCall, runtimes } from "./contestants.js"
import { type Figure, type Group, median } from "./figure.js"
import { measureHeap, repeatUntil } from "./heap.js"
import { builtInFetchFlags, withServer } from "./measure.js"
import { alternate } from "./rounds.js"

const transports = ["undici", "fetch"] as const

const nameOf = {
  plain: (transport: string) => `HttpClient over ${transport}`,
  own: (transport: string) => `effect-modelroute over ${transport}`
}

const callsInFlight = 500

/** Makes the call. Sends another request first, because the gate admits many requests only after the first response. */
const makeCreate = (url: string) =>
  Effect.flatMap(makeModelRoute(url), ({ executions, request }) =>
    Effect.as(
      request("GET", "/count"),
      Effect.suspend(() => executions.create(createRequest))
    )
  )

const countHeld = (url: string): Effect.Effect<number> =>
  Effect.promise(async () => Number(await (await fetch(url)).text()))

const isHeldCount = (url: string, expected: number): Effect.Effect<boolean> =>
  Effect.map(countHeld(url), (count) => count === expected)

/** Returns the heap per call in KB while the calls wait for their responses. */
const measureCalls = <E>(
  url: string,
  makeCall: Effect.Effect<Effect.Effect<unknown, unknown>, E, HttpClient.HttpClient>
) =>
  Effect.gen(function* () {
    const call = yield* makeCall
    const heap = yield* measureHeap({ wait: () => call, isWaiting: isHeldCount(url, callsInFlight) }, callsInFlight)
    // The connections of the interrupted calls close later.
    yield* repeatUntil(isHeldCount(url, 0))
    return heap
  })

export const inFlight: Group = {
  name: "inFlight",
  nodeFlags: builtInFetchFlags,
  measure: (rounds) =>
    withServer(async (server) => {
      const url = `${server}/held`
      const runs = transports.flatMap((transport) => [
        {
          name: nameOf.plain(transport),
          run: () => runtimes[transport].runPromise(measureCalls(url, makePlainCall(url)))
        },
        { name: nameOf.own(transport), run: () => runtimes[transport].runPromise(measureCalls(url, makeCreate(url))) }
      ])
      const values = await alternate(runs, rounds)
      return runs.map(({ name }): Figure => ({
        row: `${callsInFlight} calls in flight: heap per call`,
        contestant: name,
        value: median(values.get(name) ?? []),
        unit: "KB"
      }))
    }),
  ratios: transports.map((transport) => ({ contestant: nameOf.own(transport), peer: nameOf.plain(transport) }))
}
