/** One contestant in one round. */
import { LimitedServer, type Handled } from "../../utils/limitedServer.js"
import type { Contestant, Create } from "./contestants.js"
import { clientOf, fetchFrom } from "./door.js"
import { best, start, type Round } from "./rounds.js"
import * as VirtualTime from "./virtualTime.js"

export interface Result {
  readonly name: string
  /** From the start to the last answer that was waited for, in milliseconds. */
  readonly makespan: number
  /** The makespan over the best possible one. */
  readonly ratio: number
  readonly refused: number
  readonly handled: ReadonlyArray<Handled>
  /** Creates that were answered with an execution, of all that were asked for. */
  readonly done: number
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
const batch = async (create: Create, round: Round, tally: Tally): Promise<void> => {
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

const serverOf = ({ latency, limiter, skew, tells }: Round, seed: number): LimitedServer =>
  new LimitedServer({
    limiter: limiter(),
    seed,
    ...(latency === undefined ? {} : { latency }),
    ...(skew === undefined ? {} : { skew }),
    ...(tells === undefined ? {} : { tells })
  })

export const compete = async (contestant: Contestant, round: Round, seed: number): Promise<Result> => {
  const server = serverOf(round, seed)
  const tally: Tally = { done: 0, lastAt: start, failures: [] }
  const bound = best(round, seed)
  await VirtualTime.run({ start, cap: start + cap * bound }, () =>
    Promise.all(
      Array.from({ length: round.clients }, async (_, i) => {
        const name = `client ${i + 1}`
        const create = await contestant.connect({
          fetch: fetchFrom(server, name),
          http: clientOf(server, name),
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
    refused: server.refused,
    handled: server.handled,
    done: tally.done,
    failures: tally.failures
  }
}
