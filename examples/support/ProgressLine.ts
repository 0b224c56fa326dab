/**
 * How far a batch is: on a terminal a line that is always there, elsewhere a line now and then.
 */
import type * as Terminal from "@effect/platform/Terminal"
import { Array, Clock, Console, type DateTime, Effect, Logger, LogLevel, Schedule, type Subscribable } from "effect"
import type { Batch } from "effect-modelroute"
import * as LiveLine from "./LiveLine.js"

const span = (millis: number): string => {
  const seconds = Math.max(1, Math.ceil(millis / 1000))
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** In cents at least. */
export const dollars = (amount: string): string => {
  const [whole, decimals = ""] = amount.split(".")
  return `$${whole}.${decimals.padEnd(2, "0")}`
}

/** What there is to tell, the most important first. */
const facts = (progress: Batch.Progress, now: number): Array.NonEmptyArray<string> => {
  const { cost, succeeded, estimatedEnd, failed, inFlight, pausedUntil, itemsPerMinute, stopped, total, waiting } =
    progress
  const until = ({ epochMillis }: DateTime.Utc) => span(epochMillis - now)
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
    ...(itemsPerMinute >= 0.5 ? some(itemsPerMinute, "a minute") : [])
  ]
}

export const plain = (progress: Batch.Progress, now: number): string => facts(progress, now).join(", ")

/** A bar and as many facts as there is room for, in at most `width` columns. */
export const bar = (progress: Batch.Progress, now: number, width: number): string => {
  const [first, ...more] = facts(progress, now)
  const shortest = 10
  let text = first
  for (const fact of more) {
    const longer = `${text}, ${fact}`
    if (longer.length + shortest + 3 > width) break
    text = longer
  }
  const cells = Math.min(30, width - text.length - 3)
  if (cells < 1) return text.slice(0, width)
  const { succeeded, failed, total = 0 } = progress
  const full = total === 0 ? 0 : Math.floor((cells * (succeeded + failed)) / total)
  return `[${"#".repeat(full).padEnd(cells, ".")}] ${text}`
}

/** Elsewhere than on a terminal. */
const often = "10 seconds"

/**
 * Runs an effect and shows meanwhile how far the batch is. Of the log only warnings are printed: that the client waits, and for
 * what, the line tells.
 */
export const shown =
  (progress: Subscribable.Subscribable<Batch.Progress>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Terminal.Terminal> =>
    Effect.scoped(
      Effect.gen(function* () {
        const now = Effect.all([progress.get, Clock.currentTimeMillis])
        const line = yield* LiveLine.make(
          (width) => Effect.map(now, ([progress, time]) => bar(progress, time, width)),
          "200 millis"
        )
        if (!line.isDrawn) {
          const tell = Effect.flatMap(now, ([progress, time]) => Console.log(plain(progress, time)))
          yield* Effect.addFinalizer(() => tell)
          yield* Effect.forkScoped(Effect.delay(Effect.repeat(tell, Schedule.spaced(often)), often))
        }
        const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
          if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) line.unsafePrint(Array.ensure(message).join(" "))
        })
        return yield* Effect.provide(self, Logger.replace(Logger.defaultLogger, logger))
      })
    )
