/** Requests through a gate to a server of which only the rate limit matters: nothing of a client around it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Gate } from "../../src/internal/rateLimit/gate.js"
import { type QueueDelay, type PermitRequest } from "../../src/internal/rateLimit/permit.js"
import type { RequestClass } from "../../src/internal/rateLimit/fairQueue.js"
import type { LimitedServer } from "./limitedServer.js"

export interface Asked {
  readonly lane?: RequestClass
  readonly returning?: boolean
  readonly name?: string
  /** What to fail with, when the gate asks. Default: waits however long. */
  readonly unwilling?: (closed: QueueDelay) => string | undefined
}

const entryOf = ({
  lane = "submissions",
  name = "request",
  returning = false,
  unwilling
}: Asked): PermitRequest<string> => ({
  operation: name,
  requestClass: lane,
  isRetry: returning,
  confirmWait: (closed) => Effect.sync(() => Option.fromNullable(unwilling?.(closed)))
})

/** One request, sent once: whether the server took it. */
export const ask = (gate: Gate, server: LimitedServer, asked: Asked = {}): Effect.Effect<boolean, string> =>
  gate.withPermit(entryOf(asked), (place) =>
    Effect.gen(function* () {
      const exchange = server.request(yield* Clock.currentTimeMillis, asked.name)
      yield* Effect.sleep(exchange.handledAt - exchange.sentAt)
      const answer = exchange.answer()
      yield* Effect.sleep(exchange.receivedAt - exchange.handledAt)
      yield* place.reportResponse(answer.refused ? 429 : 200, answer.headers)
      return !answer.refused
    })
  )

/** One request until it is taken: refused, it comes back after a second at the earliest, as the retry schedule has it. */
export const insist = (gate: Gate, server: LimitedServer, asked: Asked = {}): Effect.Effect<void, string> =>
  Effect.flatMap(ask(gate, server, asked), (taken) =>
    taken ? Effect.void : Effect.delay(insist(gate, server, { ...asked, returning: true }), 1000)
  )

export const insistOnAll = (
  gate: Gate,
  server: LimitedServer,
  requests: number,
  concurrency: number,
  asked?: Asked
): Effect.Effect<void, string> =>
  Effect.forEach(Array.from({ length: requests }), () => insist(gate, server, asked), { concurrency, discard: true })
