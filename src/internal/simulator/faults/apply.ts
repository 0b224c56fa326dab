/**
 * What a fault makes of one exchange.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Answer } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Phase, ResetUnit, Strike } from "./fault.js"
import { httpDate } from "../time.js"

/** @internal The exchange as it would go without a fault, and the means to answer otherwise. */
export interface Exchange {
  readonly serve: Effect.Effect<Answer>
  /** Adds what every answer of the API has. */
  readonly fromApi: (answer: Answer) => Effect.Effect<Answer>
  /** Adds what any server's answer has. */
  readonly fromGateway: (answer: Answer) => Effect.Effect<Answer>
  readonly requestId: () => string
  /** Milliseconds on the server's clock. */
  readonly now: Effect.Effect<number>
}

const nothing = AnswerOf.dropped(AnswerOf.bytes(0, {}))

const kept = (body: Uint8Array, keep: number): number =>
  Math.min(body.length, keep < 1 ? Math.floor(body.length * keep) : Math.floor(keep))

const cut = (answer: Answer, keep: number): Answer => ({
  ...answer,
  delivery: AnswerOf.Delivery.Cut({ after: kept(answer.body, keep) })
})

const truncated = (answer: Answer, keep: number): Answer => ({
  ...answer,
  body: answer.body.subarray(0, kept(answer.body, keep)),
  delivery: AnswerOf.Delivery.Chunked()
})

const mapHeader = (answer: Answer, name: string, f: (value: string) => string): Answer => {
  const value = answer.headers[name]
  return value === undefined ? answer : { ...answer, headers: { ...answer.headers, [name]: f(value) } }
}

const without = (answer: Answer, names: ReadonlyArray<string>): Answer => ({
  ...answer,
  headers: Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !names.includes(name)))
})

const reset = (unit: ResetUnit, seconds: string, now: number): string => {
  switch (unit) {
    case "millis":
      return String(Number(seconds) * 1000)
    case "delta":
      return String(Math.ceil(Number(seconds) - now / 1000))
    case "garbage":
      return "soon"
    case "past":
      return "1710924600" // the sample of the documentation
    case "absurd":
      return "253402300799" // the last second of the year 9999
  }
}

/** Puts `replacement` in the place of the API's answer, and lets the server do the work before that or not. */
const instead = (exchange: Exchange, phase: Phase, replacement: Effect.Effect<Answer>): Effect.Effect<Answer> =>
  phase === "before"
    ? replacement
    : Effect.flatMap(exchange.serve, ({ executionId }) =>
        Effect.map(replacement, (answer) => ({ ...answer, executionId }))
      )

/** @internal */
export const applyFault = (fault: Strike, exchange: Exchange): Effect.Effect<Answer> => {
  const { serve } = exchange
  switch (fault._tag) {
    case "DropBefore":
      return Effect.succeed(nothing)
    case "DropAfter":
      return Effect.map(serve, AnswerOf.dropped)
    case "CutBody":
      return Effect.map(serve, (answer) => cut(answer, fault.keep))
    case "TruncateCleanly":
      return Effect.map(serve, (answer) => truncated(answer, fault.keep))
    case "Delay":
      return fault.phase === "before"
        ? Effect.zipRight(Effect.sleep(fault.millis), serve)
        : Effect.zipLeft(serve, Effect.sleep(fault.millis))
    case "Hang":
      return instead(exchange, fault.phase, Effect.never)
    case "Envelope": {
      const { code, message = `Simulated ${code}`, requestId } = fault
      const headers = lowerCased(fault.headers ?? {})
      const refused = Effect.sync(() => {
        const answer = AnswerOf.refusal({
          ...fault,
          message,
          requestId: requestId === undefined ? exchange.requestId() : requestId
        })
        return { ...answer, headers: { ...answer.headers, ...headers } }
      })
      return instead(exchange, fault.phase, Effect.flatMap(refused, exchange.fromApi))
    }
    case "Raw": {
      const answer = AnswerOf.bytes(fault.status, lowerCased(fault.headers ?? {}), fault.body)
      return instead(exchange, fault.phase, exchange.fromGateway(answer))
    }
    case "RateLimited": {
      const { message = "Too many requests", retryAfter } = fault
      const refused = Effect.map(exchange.now, (now) =>
        AnswerOf.withHeaders(AnswerOf.refusal({ code: "RATE_LIMITED", message, requestId: exchange.requestId() }), {
          "x-ratelimit-remaining": "0",
          "x-ratelimit-reset": String(Math.ceil((now + fault.resetInMillis) / 1000)),
          ...(retryAfter === undefined ? {} : { "retry-after": retryAfter })
        })
      )
      return instead(exchange, fault.phase, Effect.flatMap(refused, exchange.fromApi))
    }
    case "SkewDate":
      return Effect.map(serve, (answer) =>
        mapHeader(answer, "date", (date) => httpDate(Date.parse(date) + fault.millis))
      )
    case "WithoutHeaders":
      return Effect.map(serve, (answer) => without(answer, fault.names))
    case "ResetUnit":
      return Effect.zipWith(serve, exchange.now, (answer, now) =>
        mapHeader(answer, "x-ratelimit-reset", (seconds) => reset(fault.unit, seconds, now))
      )
  }
}

const lowerCased = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
