/** What is seen of a batch that is killed again and again, by the simulator and by who takes its outcomes; and what is wrong with it. */
import * as Schema from "effect/Schema"
import type { Ledger, RequestRecord } from "../../src/Simulator.js"

/** One outcome, as its consumer writes it down before it asks for the next. */
export const Line = Schema.Struct({
  run: Schema.Number,
  key: Schema.String,
  tag: Schema.Literal("Succeeded", "Failed", "NotAttempted"),
  final: Schema.Boolean,
  delivered: Schema.Boolean,
  executionId: Schema.optional(Schema.String),
  /** The output, or the tag of the failure. */
  end: Schema.String
})
export type Line = typeof Line.Type
export const LineText = Schema.parseJson(Line)

/** What a run that was not killed tells at its end. */
export const Summary = Schema.Struct({
  outcomes: Schema.Number,
  keys: Schema.Number,
  tags: Schema.Record({ key: Schema.String, value: Schema.Number }),
  final: Schema.Number,
  delivered: Schema.Number,
  /** What the journal holds: entries, those of them that are delivered, and the keys of all of them. */
  entries: Schema.Number,
  entriesDelivered: Schema.Number,
  entryKeys: Schema.Number
})
export type Summary = typeof Summary.Type
export const SummaryText = Schema.parseJson(Summary)

/** Most items run as the first two; one in five as the last, whose executions may end badly. */
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

/** Watches every request. */
export class Witness {
  requests = 0
  creates = 0
  readonly struck = new Map<string, number>()
  readonly wrong: Array<string> = []
  /** Items of which a create was seen first in this run. */
  newItems = 0
  private readonly submissions = new Map<string, Submission>()
  private readonly items = new Set<string>()
  private readonly itemOf = new Map<string, string>()
  /** Items whose execution this run has looked at: its id was in the journal by then. */
  private looked = new Set<string>()
  /** Items for which no create may be sent any more. */
  private readonly settled = new Set<string>()

  /** How many items have been seen. */
  get seen(): number {
    return this.items.size
  }

  get idempotencyKeys(): number {
    return this.submissions.size
  }

  get faults(): number {
    let sum = 0
    for (const count of this.struck.values()) sum += count
    return sum
  }

  /** Whether it is the first create of an item. */
  see(record: RequestRecord): boolean {
    const before = this.items.size
    this.requests += 1
    if (record.fault !== undefined && record.fault !== "Ends") {
      this.struck.set(record.fault, (this.struck.get(record.fault) ?? 0) + 1)
    }
    if (record.operation === "executions.create") {
      this.creates += 1
      this.created(record)
    } else {
      const item = this.itemOf.get(record.path.split("/")[3] ?? "")
      if (item !== undefined) this.looked.add(item)
    }
    return this.items.size > before
  }

  private created({ body, executionId, idempotencyKey = "" }: RequestRecord): void {
    const text = decoder.decode(body)
    const item = itemIn(text)
    if (!this.items.has(item)) {
      this.items.add(item)
      this.newItems += 1
    }
    if (this.settled.has(item)) {
      this.wrong.push(`${item} was submitted again, though its execution was known`)
    }
    const before = this.submissions.get(idempotencyKey)
    if (before === undefined) {
      this.submissions.set(idempotencyKey, { body: text, executionId })
    } else {
      if (before.body !== text) this.wrong.push(`the key of ${item} came with another body`)
      if (executionId !== undefined) {
        before.executionId ??= executionId
        if (before.executionId !== executionId) this.wrong.push(`the key of ${item} has led to two executions`)
      }
    }
    if (executionId !== undefined) this.itemOf.set(executionId, item)
  }

  /** A run is over, and these are its outcomes. Of what the journal has lost again, no more can be asked than that it cost nothing. */
  ended(lines: ReadonlyArray<Line>, hasLost: boolean): void {
    if (!hasLost) {
      for (const item of this.looked) this.settled.add(item)
      for (const { final, key } of lines) if (final) this.settled.add(key)
    }
    this.looked = new Set()
    this.newItems = 0
  }
}

/** All that can be known when the last run has ended. */
export interface Seen {
  readonly items: number
  /** How many writes that were done the journal was made to lose after a run, by the runs. */
  readonly lost: ReadonlyMap<number, number>
  readonly ledger: Ledger
  readonly witness: Witness
  readonly lines: ReadonlyArray<Line>
  /** Of the last run but one, after which all outcomes are final. */
  readonly settling: Summary
  /** Of the last run, which only hands out what the journal holds. */
  readonly resting: Summary
  readonly restingRequests: number
}

/** Of each kind of trouble the first few. */
const few = (all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= 4 ? all : [...all.slice(0, 3), `… and ${all.length - 3} more like that`]

/** How an execution's end should come out. */
const tagOf = (status: string): Line["tag"] => (status === "COMPLETED" ? "Succeeded" : "Failed")

/** How often more than once a final outcome was handed out as a new one. */
export const handedOutAgain = (lines: ReadonlyArray<Line>): number => {
  const fresh = lines.filter(({ delivered, final }) => final && !delivered)
  return fresh.length - new Set(fresh.map(({ key }) => key)).size
}

/**
 * The next outcome is asked for when the one before has been acknowledged. So only the last one of a run that is killed may come out
 * again, and one more for each write that was lost: none acknowledges two.
 */
const handedOutInVain = (lines: ReadonlyArray<Line>, lost: ReadonlyMap<number, number>): ReadonlyArray<string> => {
  const lastOf = new Map(lines.map((line) => [line.run, line]))
  const before = new Map<string, Line>()
  const again = new Map<number, Array<Line>>()
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
      return `${first?.key}${more} came out again after run ${run}, which had asked for the next one`
    })
}

/** In words; nothing where all is as it should be. */
export const verdict = (seen: Seen): ReadonlyArray<string> => {
  const { items, ledger, lines, resting, settling, witness } = seen
  const { executions } = ledger
  const keys = Array.from({ length: items }, (_, n) => keyOf(n))
  const wrong: Array<string> = [...few(witness.wrong)]
  const expect = (what: string, is: number, should: number) => {
    if (is !== should) wrong.push(`${what}: ${is}, and not ${should}`)
  }

  // What was paid for.
  const byItem = new Map(executions.map((execution) => [itemIn(execution.body), execution]))
  expect("executions", executions.length, items)
  expect("items with an execution", byItem.size, items)
  expect("idempotency keys with an execution", new Set(executions.map((e) => e.idempotencyKey)).size, items)
  expect("idempotency keys in requests", witness.idempotencyKeys, items)
  wrong.push(...few(keys.filter((key) => !byItem.has(key)).map((key) => `${key} was never executed`)))

  // What came out at last: each item once, and as its execution has ended.
  const last = lines.at(-1)?.run ?? 0
  for (const [name, run, summary] of [
    ["the last run", last, resting],
    ["the run before", last - 1, settling]
  ] as const) {
    const outcomes = lines.filter((line) => line.run === run)
    expect(`outcomes of ${name}`, outcomes.length, items)
    expect(`outcomes of ${name}, as it counts them`, summary.outcomes, items)
    expect(`keys of ${name}`, new Set(outcomes.map(({ key }) => key)).size, items)
    expect(`keys of ${name}, as it counts them`, summary.keys, items)
    expect(`final outcomes of ${name}`, outcomes.filter(({ final }) => final).length, items)
    const strange = outcomes.filter(({ executionId, key, tag }) => {
      const execution = byItem.get(key)
      return execution === undefined || executionId !== execution.executionId || tag !== tagOf(execution.status)
    })
    wrong.push(...few(strange.map((line) => `${name} has ${JSON.stringify(line)}, which no execution stands for`)))
  }
  expect("delivered outcomes of the last run", resting.delivered, items)
  expect("requests of the last run", seen.restingRequests, 0)
  expect("entries of the journal", resting.entries, items)
  expect("keys of its entries", resting.entryKeys, items)
  expect("delivered entries", resting.entriesDelivered, items)

  // What came out meanwhile: the same, and each as a new one at least once.
  const ends = new Map<string, Line>()
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
  wrong.push(...few(changed))
  wrong.push(...few(keys.filter((key) => !fresh.has(key)).map((key) => `${key} was never handed out as a new outcome`)))
  wrong.push(...few(handedOutInVain(lines, seen.lost)))
  return wrong
}
