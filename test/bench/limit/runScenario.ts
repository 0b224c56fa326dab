/** One contestant in one round. */
import { LimitedServer, type HandledRequest } from "../../utils/limitedServer.js"
import type { BenchClient, Create } from "./benchClients.js"
import { makeHttpClient, makeFetch } from "./transport.js"
import { bestMakespan, start, type Scenario } from "./scenarios.js"
import * as VirtualTime from "./virtualTime.js"

export interface ScenarioResult {
  readonly name: string
  /** From the start to the last answer that was waited for, in milliseconds. */
  readonly makespan: number
  /** The makespan over the best possible one. */
  readonly ratio: number
  readonly rejections: number
  readonly handled: ReadonlyArray<HandledRequest>
  /** Creates that were answered with an execution, of all that were asked for. */
  readonly succeeded: number
  readonly failures: ReadonlyArray<unknown>
}

/** Beyond that multiple of the best makespan, nobody waits any longer. */
const cap = 5

interface Tally {
  done: number
  lastAt: number
  readonly failures: Array<unknown>
}

/** All creates of one client, so many at once. */
const batch = async (create: Create, round: Scenario, tally: Tally): Promise<void> => {
  let begun = 0
  const work = async (): Promise<void> => {
    if (begun >= round.requests) return
    begun += 1
    await create().then(
      () => (tally.done += 1),
      (error: unknown) => tally.failures.push(error)
    )
    tally.lastAt = VirtualTime.now()
    return work()
  }
  await Promise.all(Array.from({ length: round.concurrency }, work))
}

const serverOf = ({ latency, limiter, skew, headers }: Scenario, seed: number): LimitedServer =>
  new LimitedServer({
    limiter: limiter(),
    seed,
    ...(latency === undefined ? {} : { latency }),
    ...(skew === undefined ? {} : { skew }),
    ...(headers === undefined ? {} : { headers })
  })

export const runScenario = async (contestant: BenchClient, round: Scenario, seed: number): Promise<ScenarioResult> => {
  const server = serverOf(round, seed)
  const tally: Tally = { done: 0, lastAt: start, failures: [] }
  const bound = bestMakespan(round, seed)
  await VirtualTime.runInVirtualTime({ start, cap: start + cap * bound }, () =>
    Promise.all(
      Array.from({ length: round.clients }, async (_, i) => {
        const name = `client ${i + 1}`
        const create = await contestant.connect({
          fetch: makeFetch(server, name),
          http: makeHttpClient(server, name),
          seed: seed + i,
          known: round
        })
        await batch(create, round, tally)
      })
    )
  )
  const makespan = tally.lastAt - start
  return {
    name: contestant.name,
    makespan,
    ratio: makespan / bound,
    rejections: server.rejections,
    handled: server.handled,
    succeeded: tally.done,
    failures: tally.failures
  }
}
