/** Reads the metrics of the library from snapshots. Derives rates and percentiles from two snapshots. */
import { type MetricPair, MetricState } from "effect"

/** Values by the value of one tag. */
export type ByTag<A> = ReadonlyMap<string, A>

/** Number of values up to each bound, in ascending order of the bounds. The last bound is Infinity. */
export type Buckets = ReadonlyArray<readonly [bound: number, count: number]>

/** Metrics at one time. Counters and buckets are totals since the start. */
export interface Sample {
  readonly minute: number
  readonly requestsByOutcome: ByTag<number>
  readonly dollarsByModel: ByTag<number>
  readonly latencyByModel: ByTag<Buckets>
  readonly waiting: number
  readonly inFlight: number
  /** Number of 429 responses. */
  readonly rateLimited: number
}

type Snapshot = ReadonlyArray<MetricPair.MetricPair.Untyped>

/** Combines the values of a metric with the same value of a tag. Ignores the other tags. */
const groupByTag = <A>(
  snapshot: Snapshot,
  name: string,
  tag: string,
  read: (state: MetricState.MetricState.Untyped) => A | undefined,
  add: (a: A, b: A) => A
): ByTag<A> => {
  const groups = new Map<string, A>()
  for (const { metricKey, metricState } of snapshot) {
    const key = metricKey.tags.find((label) => label.key === tag)?.value
    const value = metricKey.name === name ? read(metricState) : undefined
    if (key === undefined || value === undefined) continue
    const earlier = groups.get(key)
    groups.set(key, earlier === undefined ? value : add(earlier, value))
  }
  return groups
}

const readCount = (state: MetricState.MetricState.Untyped) =>
  MetricState.isCounterState(state) ? Number(state.count) : undefined

const sumByTag = (snapshot: Snapshot, name: string, tag: string): ByTag<number> =>
  groupByTag(snapshot, name, tag, readCount, (a, b) => a + b)

const readBuckets = (state: MetricState.MetricState.Untyped): Buckets | undefined =>
  MetricState.isHistogramState(state) ? state.buckets : undefined

const addBuckets = (a: Buckets, b: Buckets): Buckets => a.map(([bound, count], i) => [bound, count + (b[i]?.[1] ?? 0)])

const find = (snapshot: Snapshot, name: string): MetricState.MetricState.Untyped | undefined =>
  snapshot.find(({ metricKey }) => metricKey.name === name)?.metricState

const readGauge = (snapshot: Snapshot, name: string): number => {
  const state = find(snapshot, name)
  return MetricState.isGaugeState(state) ? Number(state.value) : 0
}

/** Returns 0 for a counter that is not in the snapshot, because nothing has increased it. */
const readCounter = (snapshot: Snapshot, name: string): number => {
  const state = find(snapshot, name)
  return MetricState.isCounterState(state) ? Number(state.count) : 0
}

export const toSample = (minute: number, snapshot: Snapshot): Sample => ({
  minute,
  requestsByOutcome: sumByTag(snapshot, "modelroute_requests_total", "outcome"),
  dollarsByModel: sumByTag(snapshot, "modelroute_cost_dollars_total", "model"),
  latencyByModel: groupByTag(snapshot, "modelroute_execution_latency_seconds", "model", readBuckets, addBuckets),
  waiting: readGauge(snapshot, "modelroute_gate_waiting"),
  inFlight: readGauge(snapshot, "modelroute_gate_in_flight"),
  rateLimited: readCounter(snapshot, "modelroute_gate_rate_limited_total")
})

/** Returns the values between two totals. */
const subtractBuckets = (later: Buckets, earlier: Buckets): Buckets =>
  later.map(([bound, count], i) => [bound, count - (earlier[i]?.[1] ?? 0)])

/**
 * Returns a percentile of the values between two totals. Interpolates within a bucket, as `histogram_quantile` of
 * Prometheus does. Returns `undefined` if there are no values, or if the percentile exceeds the last finite bound.
 */
export const percentile = (share: number, later: Buckets, earlier: Buckets): number | undefined => {
  const buckets = subtractBuckets(later, earlier)
  const total = buckets.at(-1)?.[1] ?? 0
  const rank = share * total
  const index = buckets.findIndex(([, count]) => count >= rank)
  const [upper, upTo] = buckets[index] ?? [Infinity, 0]
  const [lower, below] = buckets[index - 1] ?? [0, 0]
  return total === 0 || upper === Infinity ? undefined : lower + ((upper - lower) * (rank - below)) / (upTo - below)
}
