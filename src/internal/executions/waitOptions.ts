/**
 * Checks the options of the methods that wait. The check runs before the first request.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { checkAll, checksOf } from "../errors/optionChecks.js"
import type { PollerOptions } from "./poller.js"
import type { AwaitOptions, RunOptions, WatchOptions } from "./types.js"

type Checked = Either.Either<PollerOptions, InvalidRequest>

/** @internal Checks the options of `watch`. */
export const checkWatchOptions = (operation: string, options: WatchOptions): Checked => {
  const check = checksOf(operation)
  return Either.gen(function* () {
    yield* check.record("options", options)
    const { pollImmediately, pollSchedule, timeout } = options
    yield* checkAll([check.schedule("pollSchedule", pollSchedule), check.boolean("pollImmediately", pollImmediately)])
    const timeoutMillis = timeout === undefined ? undefined : yield* check.duration("timeout", timeout, "zero")
    return { timeoutMillis, pollSchedule, pollImmediately: pollImmediately === true }
  })
}

/** @internal Checks the options of `await`. */
export const checkAwaitOptions = (operation: string, options: AwaitOptions): Checked =>
  Either.flatMap(checkWatchOptions(operation, options), (checked) =>
    Either.map(checksOf(operation).boolean("cancelOnInterrupt", options.cancelOnInterrupt), () => checked)
  )

/** @internal Checks the options of `run`. */
export const checkRunOptions = (operation: string, options: RunOptions<unknown>): Checked =>
  Either.flatMap(checkAwaitOptions(operation, options), (checked) =>
    Either.map(checksOf(operation).function("onAccepted", options.onAccepted), () => checked)
  )
