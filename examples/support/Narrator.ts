/**
 * Prints log entries of the program and each wait of the client. On a terminal, a status line shows the elapsed time
 * and the current wait.
 */
import type * as Terminal from "@effect/platform/Terminal"
import { Array, Clock, Effect, Layer, Logger, LogLevel, Option, Schema } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import * as LiveLine from "./LiveLine.js"
import { wrap } from "./Text.js"

/** Columns of the elapsed time before each entry. */
const margin = 10

/** Annotations of the log entries that the client writes for waits. */
const Wait = Schema.Struct({
  operation: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("modelroute.operation")),
  /** Tag of the error that causes the wait, or `poll`. */
  reason: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("modelroute.wait.reason")),
  /** Reason of a transport error, or the HTTP status. */
  detail: Schema.optional(Schema.String).pipe(Schema.fromKey("modelroute.wait.detail")),
  waitMillis: Schema.propertySignature(Schema.Number).pipe(Schema.fromKey("modelroute.wait.duration_ms"))
})

const decodeWait = Schema.decodeUnknownOption(Wait)

const reasonTexts: { readonly [reason: string]: string } = {
  RateLimited: "The rate limit is exhausted.",
  ModelOverloaded: "The model is overloaded.",
  ModelUnavailable: "The model is unavailable.",
  ServiceUnavailable: "ModelRoute is unavailable.",
  UnexpectedResponse: "The response did not come from ModelRoute."
} satisfies { readonly [Tag in ModelRouteError.RequestFailure["_tag"]]?: string }

const transportTexts: { readonly [detail: string]: string } = {
  connect: "The connection failed.",
  reset: "The connection was reset before a response arrived.",
  timeout: "No response arrived in time.",
  truncated: "The response was truncated."
} satisfies { readonly [Reason in ModelRouteError.TransportReason]?: string }

const describeFailure = ({ detail = "", reason }: typeof Wait.Type): string =>
  reason === "TransportError"
    ? (transportTexts[detail] ?? "No response arrived.")
    : (reasonTexts[reason] ?? `The request failed (${reason}).`)

const seconds = (millis: number) => `${Math.round(millis / 100) / 10} s`

const describeWait = (wait: typeof Wait.Type): ReadonlyArray<string> => {
  const { operation, reason, waitMillis } = wait
  const delay = seconds(waitMillis)
  if (reason === "poll") return [`Polling again in ${delay}.`]
  const how =
    reason === "RateLimited"
      ? ", when the limit resets"
      : reason === "TransportError" && operation === "executions.create"
        ? " with the same key, which prevents a second charge"
        : ""
  return [describeFailure(wait), `Retrying in ${delay}${how}.`]
}

/** Current wait, and its end in epoch milliseconds. */
interface Status {
  readonly what: string
  readonly until: number
}

const statusOf = ({ reason, waitMillis }: typeof Wait.Type, now: number): Status => ({
  what: reason === "poll" ? "generating, next poll" : reason === "RateLimited" ? "rate limit resets" : "next attempt",
  until: now + waitMillis
})

const clock = (millis: number) => `${(millis / 1000).toFixed(1)} s`

/** Replaces the default logger. */
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
              : "waiting for a response"
          return `${elapsed(now)}  ... ${what}`
        }),
      "100 millis"
    )

    const logger = Logger.make<unknown, void>(({ annotations, date, logLevel, message }) => {
      const wait = decodeWait(Object.fromEntries(annotations))
      if (Option.isNone(wait) && LogLevel.lessThan(logLevel, LogLevel.Info)) return
      const now = date.getTime()
      status = Option.getOrUndefined(Option.map(wait, (wait) => statusOf(wait, now)))
      // On a terminal, the status line shows the time of the next poll.
      if (line.isDrawn && Option.exists(wait, ({ reason }) => reason === "poll")) return
      const lines = Option.match(wait, { onNone: () => Array.ensure(message).map(String), onSome: describeWait })
      const wrapped = lines.map((each) => wrap(each, margin))
      line.unsafePrint(`${elapsed(now)}  ${wrapped.join(`\n${" ".repeat(margin)}`)}`)
    })

    return Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Debug))
  })
)
