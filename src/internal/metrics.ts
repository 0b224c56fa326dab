/**
 * Updates the metrics of calls and executions.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import type { Execution } from "../Execution.js"
import * as Metrics from "../Metrics.js"

/**
 * Limits the number of models that have their own tag, because every tagged metric stays in memory. Without a limit,
 * model names from user input could fill the memory.
 *
 * @internal
 */
export class ModelTags {
  private readonly models = new Set<string>()

  constructor(private readonly maxModels: number) {}

  /**
   * Returns the name of the model as its tag. Returns `other` if `maxModels` other models already have their own tag.
   */
  toTag(model: string): string {
    if (this.models.has(model)) return model
    if (this.models.size >= this.maxModels) return "other"
    this.models.add(model)
    return model
  }
}

const modelTags = new ModelTags(500)

interface Tags {
  readonly [name: string]: string | undefined
}

const withTags = <Type, Out>(metric: Metric.Metric<Type, number, Out>, tags: Tags): Metric.Metric<Type, number, Out> =>
  Metric.taggedWithLabels(
    metric,
    Object.entries(tags).flatMap(([name, value]) => (value === undefined ? [] : [MetricLabel.make(name, value)]))
  )

/**
 * Returns a function that updates the metric with the given tags. Caches the tagged metrics, because the creation of a
 * tagged metric is slower than an update.
 */
const makeUpdate = <Type, Out>(metric: Metric.Metric<Type, number, Out>, tagName: string) => {
  const cache = new Map<string, Metric.Metric<Type, number, Out>>()
  return (operation: string, tag: string, model: string | undefined, value: number): Effect.Effect<void> => {
    const modelTag = model === undefined ? undefined : modelTags.toTag(model)
    const key = `${operation} ${tag} ${modelTag ?? ""}`
    let tagged = cache.get(key)
    if (tagged === undefined) {
      tagged = withTags(metric, { operation, [tagName]: tag, model: modelTag })
      cache.set(key, tagged)
    }
    return Metric.update(tagged, value)
  }
}

const updateRequests = makeUpdate(Metrics.requests, "outcome")
const updateRetries = makeUpdate(Metrics.retries, "reason")
const updateWaits = makeUpdate(Metrics.waits, "reason")

/** @internal Counts a request. The outcome is `ok` or the tag of the error. */
export const countRequest = (operation: string, outcome: string, model: string | undefined): Effect.Effect<void> =>
  updateRequests(operation, outcome, model, 1)

/** @internal Counts a retry. The reason is the tag of the error. */
export const countRetry = (operation: string, reason: string, model: string | undefined): Effect.Effect<void> =>
  updateRetries(operation, reason, model, 1)

/** @internal Records the duration of a wait. The reason is the tag of an error, `poll` or `gate`. */
export const recordWait = (
  operation: string,
  reason: string,
  model: string | undefined,
  millis: number
): Effect.Effect<void> => updateWaits(operation, reason, model, millis / 1000)

/** Returns the latency that the API reports, or the time from the creation to the completion. */
const latencySeconds = ({ completedAt, createdAt, latency }: Execution): number | undefined => {
  if (latency !== undefined) return Duration.toSeconds(latency)
  if (completedAt === undefined || createdAt === undefined) return undefined
  return Math.max(0, Duration.toSeconds(DateTime.distanceDuration(createdAt, completedAt)))
}

/**
 * Returns the cost of an execution in dollars, for metrics and spans. The number can have a rounding error.
 *
 * @internal
 */
export const costDollars = ({ cost }: { readonly cost?: string | undefined }): number | undefined =>
  cost === undefined ? undefined : Number(cost)

/** @internal Records the cost and the latency of an execution that has ended. The outcome is `ok` or an error tag. */
export const recordExecution = (execution: Execution, outcome: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const model = execution.model === undefined ? undefined : modelTags.toTag(execution.model)
    const cost = costDollars(execution)
    const latency = latencySeconds(execution)
    return Effect.zipRight(
      cost === undefined ? Effect.void : Metric.update(withTags(Metrics.cost, { model }), cost),
      latency === undefined
        ? Effect.void
        : Metric.update(withTags(Metrics.executionLatency, { model, outcome }), latency)
    )
  })
