/**
 * Estimates the latency of each model. A client with few requests left starts to poll when an execution is likely to have
 * ended.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Execution } from "../../Execution.js"

/** The weight of the latest execution in the moving average. */
const latestWeight = 1 / 2
const maxModels = 1000

/** Returns the latency in milliseconds, or `NaN` if it is not known. */
const latencyMillis = ({ completedAt, createdAt, latency }: Execution): number => {
  if (latency !== undefined) return Duration.toMillis(latency)
  return completedAt !== undefined && createdAt !== undefined
    ? completedAt.epochMillis - createdAt.epochMillis
    : Number.NaN
}

/** @internal The estimates of one client. */
export class LatencyEstimator {
  private readonly millisByModel = new Map<string, number>()

  /** Adds the latency of an execution. Ignores an execution that is not COMPLETED. */
  record(execution: Execution): void {
    const { model, status } = execution
    if (status !== "COMPLETED" || model === undefined) return
    const latest = latencyMillis(execution)
    if (!(latest >= 0)) return
    const estimate = this.millisByModel.get(model)
    if (estimate === undefined && this.millisByModel.size >= maxModels) return
    this.millisByModel.set(model, estimate === undefined ? latest : estimate + (latest - estimate) * latestWeight)
  }

  /** Returns the expected milliseconds from the create to the end. */
  expectedMillis(model: string | undefined): number | undefined {
    return model === undefined ? undefined : this.millisByModel.get(model)
  }
}
