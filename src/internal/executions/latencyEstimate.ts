/**
 * How long executions take, by model: what a client that must be sparing with its looks goes by.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { Execution } from "../../Execution.js"

/** A newer execution counts as much as all before it together. */
const weight = 1 / 2
const mostModels = 1000

/** @internal One per client. */
export class LatencyEstimator {
  private readonly millis = new Map<string, number>()

  /** An execution that has been seen COMPLETED. */
  record({ completedAt, createdAt, latency, model, status }: Execution): void {
    if (status !== "COMPLETED" || model === undefined) return
    const seen =
      latency !== undefined
        ? Duration.toMillis(latency)
        : completedAt !== undefined && createdAt !== undefined
          ? completedAt.epochMillis - createdAt.epochMillis
          : Number.NaN
    if (!(seen >= 0)) return
    const known = this.millis.get(model)
    if (known === undefined && this.millis.size >= mostModels) return
    this.millis.set(model, known === undefined ? seen : known + (seen - known) * weight)
  }

  /** Milliseconds from submission to end. */
  expectedMillis(model: string | undefined): number | undefined {
    return model === undefined ? undefined : this.millis.get(model)
  }
}
