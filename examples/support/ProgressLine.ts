/**
 * Shows the progress of a batch as a status line on a terminal. On other outputs, prints a line every 10 seconds.
 */
import type * as Terminal from "@effect/platform/Terminal"
import { Array, Clock, Console, type DateTime, Effect, Logger, LogLevel, Schedule, type Subscribable } from "effect"
import type { Batch } from "effect-modelroute"
import * as LiveLine from "./LiveLine.js"

const formatSpan = (millis: number): string => {
  const seconds = Math.max(1, Math.ceil(millis / 1000))
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** Formats an amount with at least two decimals. */
export const dollars = (amount: string): string => {
  const [whole, decimals = ""] = amount.split(".")
  return `$${whole}.${decimals.padEnd(2, "0")}`
}

/** Returns the parts of the line in descending order of importance. */
const partsOf = (progress: Batch.Progress, now: number): Array.NonEmptyArray<string> => {
  const { cost, succeeded, estimatedEnd, failed, inFlight, pausedUntil, itemsPerMinute, stopped, total, waiting } =
    progress
  const until = ({ epochMillis }: DateTime.Utc) => formatSpan(epochMillis - now)
  const some = (count: number, what: string) => (count > 0 ? [`${Math.round(count)} ${what}`] : [])
  return [
    total === undefined ? String(succeeded + failed) : `${succeeded + failed}/${total}`,
    ...some(failed, "failed"),
    ...(stopped === undefined ? [] : ["stopping"]),
    ...(pausedUntil === undefined ? [] : [`paused for ${until(pausedUntil)}`]),
    ...some(inFlight, "in flight"),
    ...(estimatedEnd === undefined || pausedUntil !== undefined ? [] : [`${until(estimatedEnd)} left`]),
    dollars(cost),
    ...(stopped === undefined ? some(waiting, "waiting") : []),
    ...(itemsPerMinute >= 0.5 ? [`${Math.round(itemsPerMinute)}/min`] : [])
  ]
}

export const formatPlain = (progress: Batch.Progress, now: number): string => partsOf(progress, now).join(", ")

/** Returns a progress bar and the parts that fit into `width` columns. */
export const formatBar = (progress: Batch.Progress, now: number, width: number): string => {
  const [first, ...more] = partsOf(progress, now)
  const minBarWidth = 10
  let text = first
  for (const part of more) {
    const longer = `${text}, ${part}`
    if (longer.length + minBarWidth + 3 > width) break
    text = longer
  }
  const cells = Math.min(30, width - text.length - 3)
  if (cells < 1) return text.slice(0, width)
  const { succeeded, failed, total = 0 } = progress
  const full = total === 0 ? 0 : Math.floor((cells * (succeeded + failed)) / total)
  return `[${"#".repeat(full).padEnd(cells, ".")}] ${text}`
}

/** Interval of the printed lines if the output is not a terminal. */
const plainInterval = "10 seconds"

/**
 * Runs an effect and shows the progress of the batch. Suppresses log entries below the level Warning, because the line
 * shows the waits.
 */
export const withProgress =
  (progress: Subscribable.Subscribable<Batch.Progress>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Terminal.Terminal> =>
    Effect.scoped(
      Effect.gen(function* () {
        const now = Effect.all([progress.get, Clock.currentTimeMillis])
        const line = yield* LiveLine.make(
          (width) => Effect.map(now, ([progress, time]) => formatBar(progress, time, width)),
          "200 millis"
        )
        if (!line.isDrawn) {
          const print = Effect.flatMap(now, ([progress, time]) => Console.log(formatPlain(progress, time)))
          yield* Effect.addFinalizer(() => print)
          yield* Effect.forkScoped(Effect.delay(Effect.repeat(print, Schedule.spaced(plainInterval)), plainInterval))
        }
        const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
          if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) line.unsafePrint(Array.ensure(message).join(" "))
        })
        return yield* Effect.provide(self, Logger.replace(Logger.defaultLogger, logger))
      })
    )
