/**
 * Tells what happens, from log entries alone: the program's own, and those by which the client announces each wait. On a
 * terminal the last line is alive: the time that has passed, what is being waited for, and how long still.
 */
import type * as Terminal from "@effect/platform/Terminal"
import { Array, Clock, Effect, Layer, Logger, LogLevel, Option, Schema } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import * as LiveLine from "./LiveLine.js"

/** What the client annotates its announcements of waits with. */
const Wait = Schema.Struct({
  operation: Schema.String,
  /** The tag of the error that makes the wait necessary, or `poll`. */
  reason: Schema.String,
  /** How the transport failed, or the HTTP status. */
  detail: Schema.optional(Schema.String),
  waitMillis: Schema.Number
})

const decodeWait = Schema.decodeUnknownOption(Wait)

const because: { readonly [reason: string]: string } = {
  RateLimited: "The rate limit is used up.",
  ModelOverloaded: "The model is overloaded.",
  ModelUnavailable: "The model is out of service for the moment.",
  ServiceUnavailable: "ModelRoute is out of service for the moment.",
  UnexpectedResponse: "Something other than ModelRoute answered."
} satisfies { readonly [Tag in ModelRouteError.RequestFailure["_tag"]]?: string }

const broken: { readonly [detail: string]: string } = {
  connect: "No connection could be made.",
  reset: "The connection broke before an answer arrived.",
  timeout: "No answer arrived in time.",
  truncated: "The answer ended early."
} satisfies { readonly [Reason in ModelRouteError.TransportReason]?: string }

const trouble = ({ detail = "", reason }: typeof Wait.Type): string =>
  reason === "TransportError"
    ? (broken[detail] ?? "No answer arrived.")
    : (because[reason] ?? `The request failed (${reason}).`)

const seconds = (millis: number) => `${Math.round(millis / 100) / 10} s`

const sentences = (announced: typeof Wait.Type): ReadonlyArray<string> => {
  const { operation, reason, waitMillis } = announced
  const wait = seconds(waitMillis)
  if (reason === "poll") return [`Looking at it in ${wait}.`]
  const how =
    reason === "RateLimited"
      ? ", when it has reset"
      : reason === "TransportError" && operation === "executions.create"
        ? ", under the same key, so that it cannot be paid for twice"
        : ""
  return [trouble(announced), `Sending it again in ${wait}${how}.`]
}

/** The live line: what is being waited for, and until when (epoch milliseconds). */
interface Status {
  readonly what: string
  readonly until: number
}

const statusOf = ({ reason, waitMillis }: typeof Wait.Type, now: number): Status => ({
  what: reason === "poll" ? "generating, next look" : reason === "RateLimited" ? "rate limit resets" : "next attempt",
  until: now + waitMillis
})

const clock = (millis: number) => `${(millis / 1000).toFixed(1)} s`

/** Takes the place of the default logger. */
export const layer: Layer.Layer<never, never, Terminal.Terminal> = Layer.unwrapScoped(
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    let status: Status | undefined

    const elapsed = (now: number) => clock(now - startedAt).padStart(8)

    const line = yield* LiveLine.make(
      () =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const what =
            status !== undefined && status.until > now
              ? `${status.what} in ${clock(status.until - now)}`
              : "waiting for an answer"
          return `${elapsed(now)}  ... ${what}`
        }),
      "100 millis"
    )

    const logger = Logger.make<unknown, void>(({ annotations, date, logLevel, message }) => {
      const wait = decodeWait(Object.fromEntries(annotations))
      if (Option.isNone(wait) && LogLevel.lessThan(logLevel, LogLevel.Info)) return
      const now = date.getTime()
      status = Option.getOrUndefined(Option.map(wait, (wait) => statusOf(wait, now)))
      // On a terminal the live line says when the next look is.
      if (line.isDrawn && Option.exists(wait, ({ reason }) => reason === "poll")) return
      const lines = Option.match(wait, { onNone: () => Array.ensure(message).map(String), onSome: sentences })
      line.unsafePrint(`${elapsed(now)}  ${lines.join(`\n${" ".repeat(10)}`)}`)
    })

    return Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Debug))
  })
)
