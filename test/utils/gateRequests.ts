/** Sends requests through a gate to a server with a rate limit. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Admission } from "../../src/internal/rateLimit/admission.js"
import type { RequestClass } from "../../src/internal/rateLimit/fairQueue.js"
import type { PermitRequest, QueueDelay } from "../../src/internal/rateLimit/permit.js"
import type { LimitedServer } from "./limitedServer.js"

export interface GateRequestOptions {
  /** Default: `submissions`. */
  readonly requestClass?: RequestClass
  readonly isRetry?: boolean
  readonly name?: string
  /** Returns a failure if the request must not wait for the given delay. Default: accepts every delay. */
  readonly failureFor?: (delay: QueueDelay) => string | undefined
}

export const makePermitRequest = (options: GateRequestOptions = {}): PermitRequest<string> => ({
  operation: options.name ?? "request",
  requestClass: options.requestClass ?? "submissions",
  isRetry: options.isRetry ?? false,
  confirmWait: (delay) => Effect.sync(() => Option.fromNullable(options.failureFor?.(delay)))
})

/** Sends a request once. Returns `true` if the server accepts the request. */
export const sendOnce = (
  gate: Pick<Admission, "withPermit">,
  server: LimitedServer,
  options: GateRequestOptions = {}
): Effect.Effect<boolean, string> =>
  gate.withPermit(makePermitRequest(options), (permit) =>
    Effect.gen(function* () {
      const exchange = server.request(yield* Clock.currentTimeMillis, options.name)
      yield* Effect.sleep(exchange.handledAt - exchange.sentAt)
      const { headers, isRejected } = exchange.respond()
      yield* Effect.sleep(exchange.receivedAt - exchange.handledAt)
      yield* permit.reportResponse(isRejected ? 429 : 200, headers)
      return !isRejected
    })
  )

/** Sends a request until the server accepts it. Retries 1 s after a rejection, like the retry schedule. */
export const sendUntilAccepted = (
  gate: Pick<Admission, "withPermit">,
  server: LimitedServer,
  options: GateRequestOptions = {}
): Effect.Effect<void, string> =>
  Effect.flatMap(sendOnce(gate, server, options), (isAccepted) =>
    isAccepted ? Effect.void : Effect.delay(sendUntilAccepted(gate, server, { ...options, isRetry: true }), 1000)
  )

export const sendAll = (
  gate: Pick<Admission, "withPermit">,
  server: LimitedServer,
  requests: number,
  concurrency: number,
  options?: GateRequestOptions
): Effect.Effect<void, string> =>
  Effect.forEach(Array.from({ length: requests }), () => sendUntilAccepted(gate, server, options), {
    concurrency,
    discard: true
  })
