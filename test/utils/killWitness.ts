/** Records the requests and outcomes of a batch that is killed repeatedly, and finds violations of its guarantees. */
import * as Schema from "effect/Schema"
import type { Ledger, RequestRecord } from "../../src/Simulator.js"

/** Outcome that the consumer records before it requests the next outcome. */
export const OutcomeLine = Schema.Struct({
  run: Schema.Number,
  key: Schema.String,
  tag: Schema.Literal("Succeeded", "Failed", "NotAttempted"),
  final: Schema.Boolean,
  delivered: Schema.Boolean,
  executionId: Schema.optional(Schema.String),
  /** Output, or the tag of the failure. */
  end: Schema.String
})
export type OutcomeLine = typeof OutcomeLine.Type
export const OutcomeLineText = Schema.parseJson(OutcomeLine)

/** Summary that a run prints at its end. A killed run prints no summary. */
export const Summary = Schema.Struct({
  outcomes: Schema.Number,
  keys: Schema.Number,
  tags: Schema.Record({ key: Schema.String, value: Schema.Number }),
  final: Schema.Number,
  delivered: Schema.Number,
  /** Number of journal entries. */
  entries: Schema.Number,
  entriesDelivered: Schema.Number,
  entryKeys: Schema.Number
})
export type Summary = typeof Summary.Type
export const SummaryText = Schema.parseJson(Summary)

/**
 * Models of the items. Every fifth item uses `fragile`, and its execution may fail. All other items use the first two
 * models.
 */
export const models = ["embedded", "separate", "fragile"] as const
export const modelOf = (n: number): (typeof models)[number] =>
  n % 5 === 4 ? "fragile" : n % 2 === 0 ? "embedded" : "separate"
export const keyOf = (n: number): string => `item ${n}`

const Body = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ input: Schema.Struct({ prompt: Schema.String }) }))
)
const itemIn = (body: string): string => Body(body).input.prompt

const decoder = new TextDecoder()

interface Submission {
  readonly body: string
  executionId: string | undefined
}

/** Records every request at the simulator and finds violations. */
export class RequestWitness {
  requests = 0
  creates = 0
  readonly faultCounts = new Map<string, number>()
  readonly violations: Array<string> = []
  /** Number of items that were first submitted in this run. */
  newItems = 0
  private readonly submissions = new Map<string, Submission>()
  private readonly items = new Set<string>()
  private readonly itemOf = new Map<string, string>()
  /** Items with a poll in this run. The journal must contain their execution ids. */
  private polledItems = new Set<string>()
  /** Items that must not be submitted again. */
  private readonly settledItems = new Set<string>()

  /** Number of items with a create request. */
  get itemCount(): number {
    return this.items.size
  }

  get idempotencyKeys(): number {
    return this.submissions.size
  }

  get faultCount(): number {
    let sum = 0
    for (const count of this.faultCounts.values()) sum += count
    return sum
  }

  /** Records a request. Returns `true` for the first create request of an item. */
  onRequest(record: RequestRecord): boolean {
    const before = this.items.size
    this.requests += 1
    if (record.fault !== undefined && record.fault !== "ExecutionOutcome") {
      this.faultCounts.set(record.fault, (this.faultCounts.get(record.fault) ?? 0) + 1)
    }
    if (record.operation === "executions.create") {
      this.creates += 1
      this.onCreate(record)
    } else {
      const item = this.itemOf.get(record.path.split("/")[3] ?? "")
      if (item !== undefined) this.polledItems.add(item)
    }
    return this.items.size > before
  }

  private onCreate({ body, executionId, idempotencyKey = "" }: RequestRecord): void {
    const text = decoder.decode(body)
    const item = itemIn(text)
    if (!this.items.has(item)) {
      this.items.add(item)
      this.newItems += 1
    }
    if (this.settledItems.has(item)) {
      this.violations.push(`${item} was submitted again after its execution id was known`)
    }
    const before = this.submissions.get(idempotencyKey)
    if (before === undefined) {
      this.submissions.set(idempotencyKey, { body: text, executionId })
    } else {
      if (before.body !== text) this.violations.push(`the key of ${item} was sent with another body`)
      if (executionId !== undefined) {
        before.executionId ??= executionId
        if (before.executionId !== executionId) this.violations.push(`the key of ${item} created two executions`)
      }
    }
    if (executionId !== undefined) this.itemOf.set(executionId, item)
  }

  /** Records the end of a run. If writes were lost, a later run may resubmit an item under the same key. */
  onRunEnd(lines: ReadonlyArray<OutcomeLine>, hasLost: boolean): void {
    if (!hasLost) {
      for (const item of this.polledItems) this.settledItems.add(item)
      for (const { final, key } of lines) if (final) this.settledItems.add(key)
    }
    this.polledItems = new Set()
    this.newItems = 0
  }
}

/** Data that is available after the last run. */
export interface Evidence {
  readonly items: number
  /** Number of completed writes that the journal lost after each run. */
  readonly lost: ReadonlyMap<number, number>
  readonly ledger: Ledger
  readonly witness: RequestWitness
  readonly lines: ReadonlyArray<OutcomeLine>
  /** Summary of the second to last run. All its outcomes are final. */
  readonly settling: Summary
  /** Summary of the last run. It only replays the journal. */
  readonly resting: Summary
  readonly restingRequests: number
}

/** Returns at most three violations of a kind, and the number of omitted violations. */
const firstFew = (all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= 4 ? all : [...all.slice(0, 3), `… and ${all.length - 3} more of this kind`]

/** Returns the expected outcome tag for the status of an execution. */
const expectedTag = (status: string): OutcomeLine["tag"] => (status === "COMPLETED" ? "Succeeded" : "Failed")

/** Counts the final outcomes that were emitted more than once as not delivered. */
export const countRepeatedOutcomes = (lines: ReadonlyArray<OutcomeLine>): number => {
  const fresh = lines.filter(({ delivered, final }) => final && !delivered)
  return fresh.length - new Set(fresh.map(({ key }) => key)).size
}

/**
 * Finds outcomes that were emitted again without a reason. A later run may repeat the last outcome of a killed run, and
 * one more outcome for each lost write.
 */
const findRepeatedOutcomes = (
  lines: ReadonlyArray<OutcomeLine>,
  lost: ReadonlyMap<number, number>
): ReadonlyArray<string> => {
  const lastOf = new Map(lines.map((line) => [line.run, line]))
  const before = new Map<string, OutcomeLine>()
  const again = new Map<number, Array<OutcomeLine>>()
  for (const line of lines) {
    if (!line.final || line.delivered) continue
    const earlier = before.get(line.key)
    before.set(line.key, line)
    if (earlier === undefined || earlier === lastOf.get(earlier.run)) continue
    again.set(earlier.run, [...(again.get(earlier.run) ?? []), line])
  }
  return [...again]
    .filter(([run, those]) => those.length > (lost.get(run) ?? 0))
    .map(([run, [first, ...others]]) => {
      const more = others.length === 0 ? "" : `, and ${others.length} more,`
      return `${first?.key}${more} was emitted again after run ${run}, although the run had requested the next outcome`
    })
}

/** Describes every violated guarantee. Returns an empty array if all guarantees hold. */
export const findViolations = (seen: Evidence): ReadonlyArray<string> => {
  const { items, ledger, lines, resting, settling, witness } = seen
  const { executions } = ledger
  const keys = Array.from({ length: items }, (_, n) => keyOf(n))
  const violations: Array<string> = [...firstFew(witness.violations)]
  const expect = (name: string, actual: number, expected: number) => {
    if (actual !== expected) violations.push(`${name}: ${actual} instead of ${expected}`)
  }

  // Each item must have one execution.
  const byItem = new Map(executions.map((execution) => [itemIn(execution.body), execution]))
  expect("executions", executions.length, items)
  expect("items with an execution", byItem.size, items)
  expect("idempotency keys with an execution", new Set(executions.map((e) => e.idempotencyKey)).size, items)
  expect("idempotency keys in requests", witness.idempotencyKeys, items)
  violations.push(...firstFew(keys.filter((key) => !byItem.has(key)).map((key) => `${key} was never executed`)))

  // Each of the last two runs must emit each item once, with the result of its execution.
  const last = lines.at(-1)?.run ?? 0
  for (const [name, run, summary] of [
    ["the last run", last, resting],
    ["the run before", last - 1, settling]
  ] as const) {
    const outcomes = lines.filter((line) => line.run === run)
    expect(`outcomes of ${name}`, outcomes.length, items)
    expect(`outcomes of ${name}, according to its summary`, summary.outcomes, items)
    expect(`keys of ${name}`, new Set(outcomes.map(({ key }) => key)).size, items)
    expect(`keys of ${name}, according to its summary`, summary.keys, items)
    expect(`final outcomes of ${name}`, outcomes.filter(({ final }) => final).length, items)
    const unmatched = outcomes.filter(({ executionId, key, tag }) => {
      const execution = byItem.get(key)
      return execution === undefined || executionId !== execution.executionId || tag !== expectedTag(execution.status)
    })
    violations.push(
      ...firstFew(unmatched.map((line) => `${name} has ${JSON.stringify(line)}, which matches no execution`))
    )
  }
  expect("delivered outcomes of the last run", resting.delivered, items)
  expect("requests of the last run", seen.restingRequests, 0)
  expect("entries of the journal", resting.entries, items)
  expect("keys of its entries", resting.entryKeys, items)
  expect("delivered entries", resting.entriesDelivered, items)

  // All runs must emit the same outcomes. Each outcome must be emitted at least once as not delivered.
  const ends = new Map<string, OutcomeLine>()
  const fresh = new Set<string>()
  const changed: Array<string> = []
  for (const line of lines) {
    if (line.tag === "NotAttempted") changed.push(`${line.key} was not attempted in run ${line.run}`)
    if (!line.final) continue
    if (!line.delivered) fresh.add(line.key)
    const before = ends.get(line.key) ?? line
    ends.set(line.key, before)
    if (before.tag !== line.tag || before.executionId !== line.executionId || before.end !== line.end) {
      changed.push(`${JSON.stringify(before)} became ${JSON.stringify(line)}`)
    }
  }
  violations.push(...firstFew(changed))
  violations.push(
    ...firstFew(keys.filter((key) => !fresh.has(key)).map((key) => `${key} was never emitted as a new outcome`))
  )
  violations.push(...firstFew(findRepeatedOutcomes(lines, seen.lost)))
  return violations
}
