/**
 * Checks the options of `await`, `run` and `watch` before the first request.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checkAll, checksOf } from "../errors/optionChecks.js"
import { TypeId } from "../typedModels/types.js"
import type { AwaitOptions, ModelOption, RunOptions, WatchOptions } from "./optionTypes.js"
import type { PollerOptions } from "./poller.js"

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

/** @internal Tests whether the options contain a model. */
export const hasModel = <Out>(options: object | ModelOption<Out> | undefined): options is ModelOption<Out> =>
  options !== undefined && options !== null && "model" in options && options.model !== undefined

/** @internal Checks the option `model` and returns the model. */
export const checkModel = <Out>(
  operation: string,
  { model }: ModelOption<Out>
): Either.Either<ModelOption<Out>["model"], InvalidRequest> =>
  Predicate.hasProperty(model, TypeId)
    ? Either.right(model)
    : Either.left(invalidRequest(operation, "model", "is not a typed model", "Pass a model from Model.make."))
