/** Runs one client in one scenario. */
import { LimitedServer, type HandledRequest } from "../../utils/limitedServer.js"
import type { BenchClient, Create } from "./benchClients.js"
import { bestMakespan, start, type Scenario } from "./scenarios.js"
import { makeFetch, makeHttpClient } from "./transport.js"
import * as VirtualTime from "./virtualTime.js"

export interface ScenarioResult {
  readonly name: string
  /** Milliseconds from the start to the last response. */
  readonly makespan: number
  /** Makespan divided by the best possible makespan. */
  readonly ratio: number
  readonly rejections: number
  readonly handled: ReadonlyArray<HandledRequest>
  /** Number of create requests that returned an execution. */
  readonly succeeded: number
  readonly failures: ReadonlyArray<unknown>
}

/** Maximum ratio of the makespan to the best possible makespan. The benchmark stops slower runs. */
const maxRatio = 5

interface Counters {
  succeeded: number
  lastAt: number
  readonly failures: Array<unknown>
}

const createAll = async (create: Create, scenario: Scenario, counters: Counters): Promise<void> => {
  let begun = 0
  const work = async (): Promise<void> => {
    if (begun >= scenario.requests) return
    begun += 1
    await create().then(
      () => (counters.succeeded += 1),
      (error: unknown) => counters.failures.push(error)
    )
    counters.lastAt = VirtualTime.now()
    return work()
  }
  await Promise.all(Array.from({ length: scenario.concurrency }, work))
}

const makeServer = ({ headers, latency, limiter, skew }: Scenario, seed: number): LimitedServer =>
  new LimitedServer({
    limiter: limiter(),
    seed,
    ...(latency === undefined ? {} : { latency }),
    ...(skew === undefined ? {} : { skew }),
    ...(headers === undefined ? {} : { headers })
  })

export const runScenario = async (client: BenchClient, scenario: Scenario, seed: number): Promise<ScenarioResult> => {
  const server = makeServer(scenario, seed)
  const counters: Counters = { succeeded: 0, lastAt: start, failures: [] }
  const best = bestMakespan(scenario, seed)
  await VirtualTime.runInVirtualTime({ start, end: start + maxRatio * best }, () =>
    Promise.all(
      Array.from({ length: scenario.clients }, async (_, i) => {
        const name = `client ${i + 1}`
        const create = await client.connect({
          fetch: makeFetch(server, name),
          http: makeHttpClient(server, name),
          seed: seed + i,
          known: scenario
        })
        await createAll(create, scenario, counters)
      })
    )
  )
  const makespan = counters.lastAt - start
  return {
    name: client.name,
    makespan,
    ratio: makespan / best,
    rejections: server.rejections,
    handled: server.handled,
    succeeded: counters.succeeded,
    failures: counters.failures
  }
}
