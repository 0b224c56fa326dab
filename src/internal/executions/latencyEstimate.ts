/**
 * Estimates the latency of an execution for each model. If few requests are left under the rate limit, `executions.run`
 * delays its first poll until the estimated end.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Execution } from "../../Execution.js"

/** Weight of the latest latency in the moving average, from 0 to 1. */
const latestWeight = 1 / 2
const maxModels = 1000

/** Returns the latency of an execution in milliseconds, or `NaN` if the latency is missing. */
const latencyMillis = ({ completedAt, createdAt, latency }: Execution): number => {
  if (latency !== undefined) return Duration.toMillis(latency)
  return completedAt !== undefined && createdAt !== undefined
    ? completedAt.epochMillis - createdAt.epochMillis
    : Number.NaN
}

/** @internal Stores the latency estimates of one client. */
export class LatencyEstimator {
  private readonly millisByModel = new Map<string, number>()

  /**
   * Adds the latency of an execution to the estimate of its model. Ignores executions that are not COMPLETED or that
   * have no latency.
   */
  record(execution: Execution): void {
    const { model, status } = execution
    if (status !== "COMPLETED" || model === undefined) return
    const latest = latencyMillis(execution)
    if (!(latest >= 0)) return
    const estimate = this.millisByModel.get(model)
    if (estimate === undefined && this.millisByModel.size >= maxModels) return
    this.millisByModel.set(model, estimate === undefined ? latest : estimate + (latest - estimate) * latestWeight)
  }

  /** Returns the expected latency of a model in milliseconds, or `undefined` if there is no estimate. */
  expectedMillis(model: string | undefined): number | undefined {
    return model === undefined ? undefined : this.millisByModel.get(model)
  }
}
