/** Compares the end of a history with a small model. Each check returns its violations. */
import type { Execution } from "effect-modelroute"
import type * as Simulator from "effect-modelroute/Simulator"
import { itemModel, itemPrompt, type Outcome } from "./batch.js"
import { type Call, type CallRun, latestRun } from "./calls.js"
import { models } from "./commands.js"
import type { Played } from "./play.js"

export type Violations = ReadonlyArray<string>

const decoder = new TextDecoder()

const promptOf = (body: string): string => String(JSON.parse(body).input.prompt)

export const toMills = (dollars: string): number => Math.round(1000 * Number(dollars))

const costOf = (model: keyof typeof models): number => toMills(models[model].cost)

const groupBy = <A>(items: ReadonlyArray<A>, keyOf: (item: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

const creates = ({ requests }: Played): ReadonlyArray<Simulator.RequestRecord> =>
  requests.filter(({ operation }) => operation === "executions.create")

/** Returns the executions of the ledger by the prompt of their request. Each call has its own prompt. */
export const entriesByPrompt = ({ ledger }: Played): ReadonlyMap<string, ReadonlyArray<Simulator.LedgerEntry>> =>
  groupBy(ledger.executions, ({ body }) => promptOf(body))

export const entryOf = (played: Played, prompt: string): Simulator.LedgerEntry | undefined =>
  entriesByPrompt(played).get(prompt)?.[0]

/** Each call has at most one execution and one key. All requests with the same key have the same body. */
export const checkIdempotency = (played: Played): Violations => {
  const violations: Array<string> = []
  for (const [prompt, entries] of entriesByPrompt(played)) {
    if (entries.length > 1) violations.push(`"${prompt}" has ${entries.length} executions`)
  }
  const byKey = groupBy(creates(played), ({ idempotencyKey = "" }) => idempotencyKey)
  for (const [key, requests] of byKey) {
    const bodies = new Set(requests.map(({ body }) => decoder.decode(body)))
    if (key === "") violations.push("a create request has no idempotency key")
    if (bodies.size > 1) violations.push(`the key ${key} was sent with ${bodies.size} bodies`)
  }
  for (const { prompt, storedKey } of played.calls) {
    const requests = creates(played).filter(({ body }) => promptOf(decoder.decode(body)) === prompt)
    const keys = new Set(requests.map(({ idempotencyKey }) => idempotencyKey))
    if (keys.size > 1) violations.push(`"${prompt}" has the keys ${[...keys].join(", ")}`)
    if (storedKey !== undefined && requests.length > 0 && !keys.has(storedKey)) {
      violations.push(`"${prompt}" was not sent with its key ${storedKey}`)
    }
  }
  return violations
}

const statusOfError = (tag: string): string =>
  tag === "ExecutionCancelled" ? "CANCELLED" : tag === "ExecutionExpired" ? "EXPIRED" : "FAILED"

/** Checks an output against the execution in the ledger. */
const checkOutput = (
  name: string,
  model: keyof typeof models,
  { cost, fileIds, id, output }: Execution.Completed,
  entry: Simulator.LedgerEntry | undefined
): Violations => {
  const violations: Array<string> = []
  if (entry?.executionId !== id) violations.push(`${name} has the output of ${id}, not of ${entry?.executionId}`)
  if (entry?.status !== "COMPLETED") violations.push(`${name} has an output, but its execution is ${entry?.status}`)
  if (cost !== models[model].cost) violations.push(`${name} reports the cost ${cost}`)
  const prompt = entry === undefined ? "" : promptOf(entry.body)
  const text = `Response of ${model} to: ${prompt}`
  switch (models[model].output) {
    case "text":
      if (JSON.stringify(output) !== JSON.stringify({ text })) violations.push(`${name}: ${JSON.stringify(output)}`)
      break
    case "image":
      if (fileIds.length !== 1) violations.push(`${name} has ${fileIds.length} files`)
      break
    case "none":
      if (JSON.stringify(output) !== "{}") violations.push(`${name}: ${JSON.stringify(output)}`)
  }
  return violations
}

/** Returns whether the error of a run contains the id or the key of its execution. */
const checkError = ({ prompt }: Call, run: CallRun, played: Played): Violations => {
  if (run.end?._tag !== "Unresolved") return []
  const { error } = run.end
  const name = `"${prompt}" (${error._tag})`
  if (error._tag === "DurableExecutionCancelled") return []
  const entry = entryOf(played, prompt)
  // A durable execution does not report when the API has accepted the request.
  if (run.acceptedAt !== undefined || run.resumedId !== undefined || error.executionId !== undefined) {
    return error.executionId === entry?.executionId ? [] : [`${name} has the id ${error.executionId}`]
  }
  const requests = creates(played).filter(
    ({ at, body }) => at >= run.startedAt && promptOf(decoder.decode(body)) === prompt
  )
  if (requests.length === 0 && entry === undefined) return []
  const key = "idempotencyKey" in error ? error.idempotencyKey : undefined
  const expected = entry?.idempotencyKey ?? requests[0]?.idempotencyKey
  return key === expected ? [] : [`${name} has the key ${key}, not ${expected}`]
}

/** Returns whether the client cancelled the execution of a call that was interrupted with `cancelOnInterrupt`. */
const checkCancel = (call: Call, run: CallRun, played: Played): Violations => {
  const { interruptedAt, process } = run
  const entry = entryOf(played, call.prompt)
  const { cancelOnInterrupt, kind } = call.settings
  const canCancel = kind === "run" || (kind === "await" && (run.acceptedAt ?? run.resumedId) !== undefined)
  if (!cancelOnInterrupt || !canCancel || interruptedAt === undefined || entry === undefined) return []
  if (run.end?._tag !== "Interrupted" || !run.hasBegun) return []
  const { executionId, idempotencyKey = "" } = entry
  // A cancel request can continue in the background for 5 minutes. A kill of the process ends the request.
  const wasKilled = process.killedAt !== undefined && process.killedAt < interruptedAt + 315_000
  const isCancelled = played.requests.some(
    (request) =>
      request.operation === "executions.cancel" && request.executionId === executionId && request.at >= interruptedAt
  )
  const isReported = process.warnings.some((text) => text.includes(executionId) || text.includes(idempotencyKey))
  return isCancelled || isReported || wasKilled
    ? []
    : [`"${call.prompt}" was interrupted, but ${executionId} was not cancelled`]
}

/** Returns whether the workflow of a cancelled durable execution cancelled the execution that it had created. */
const checkDurableCancel = (call: Call, run: CallRun, played: Played): Violations => {
  const entry = entryOf(played, call.prompt)
  if (run.end?._tag !== "Unresolved" || run.end.error._tag !== "DurableExecutionCancelled") return []
  const isSent = creates(played).some(
    ({ at, body }) => at >= run.startedAt && promptOf(decoder.decode(body)) === call.prompt
  )
  if (entry === undefined || !isSent) return []
  const { executionId, idempotencyKey = "" } = entry
  const isCancelled = played.requests.some(
    (request) => request.operation === "executions.cancel" && request.executionId === executionId
  )
  const isReported = run.process.warnings.some((text) => text.includes(executionId) || text.includes(idempotencyKey))
  return isCancelled || isReported ? [] : [`"${call.prompt}" was cancelled, but ${executionId} was not cancelled`]
}

/** Checks the end of each call: its output, its error or its interruption. */
const checkCall = (call: Call, played: Played): Violations => {
  const { isAbandoned, prompt, settings } = call
  const end = latestRun(call)?.end
  const entry = entryOf(played, prompt)
  if (end === undefined || end._tag === "Interrupted") return isAbandoned ? [] : [`"${prompt}" never ended`]
  switch (end._tag) {
    case "Output":
      return checkOutput(`"${prompt}"`, settings.model, end.completed, entry)
    case "Ended": {
      const status = statusOfError(end.error._tag)
      return entry?.status === status ? [] : [`"${prompt}" ended as ${status}, but its execution is ${entry?.status}`]
    }
    case "Unresolved":
      return settings.kind === "durable" || isAbandoned ? [] : [`"${prompt}" cannot be recovered: ${end.error.message}`]
    case "Defect":
      return [`"${prompt}" failed with a defect: ${end.message}`]
  }
}

export const checkCalls = (played: Played): Violations =>
  played.calls.flatMap((call) => [
    ...checkCall(call, played),
    ...call.runs.flatMap((run) => [
      ...checkError(call, run, played),
      ...checkCancel(call, run, played),
      ...checkDurableCancel(call, run, played)
    ])
  ])

/** Returns the last outcome of each item. */
const lastOutcomes = ({ batch }: Played): ReadonlyArray<Outcome> => batch.runs.at(-1)?.outcomes ?? []

const checkItem = (outcome: Outcome, played: Played): Violations => {
  const name = `item ${outcome.key}`
  const entry = entryOf(played, itemPrompt(outcome.key))
  switch (outcome._tag) {
    case "Succeeded":
      return checkOutput(name, itemModel(outcome.item), outcome.completed, entry)
    case "NotAttempted":
      return [`${name} was not attempted (${outcome.reason})`]
    case "Failed": {
      const { error } = outcome
      if (error._tag === "SubmissionOutcomeUnknown") {
        const isFound = entry === undefined || entry.idempotencyKey === error.idempotencyKey
        return isFound ? [] : [`${name} has the key ${error.idempotencyKey}`]
      }
      if (!outcome.final) return [`${name} failed without a final outcome: ${error.message}`]
      return entry?.status === "COMPLETED" ? [`${name} failed, but its execution is COMPLETED`] : []
    }
  }
}

/** Each run emits at most one outcome per item. The last run returns every paid execution. */
export const checkBatch = (played: Played): Violations => {
  const { batch } = played
  const violations: Array<string> = []
  for (const [n, { end, outcomes }] of batch.runs.entries()) {
    const keys = outcomes.map(({ key }) => key)
    if (new Set(keys).size < keys.length) violations.push(`run ${n} emitted an item twice: ${keys.join(", ")}`)
    if (end?._tag === "Failed") violations.push(`run ${n} failed: ${end.message}`)
    if (end?._tag === "Completed" && keys.length !== batch.items) violations.push(`run ${n} lost an item`)
    if (end?._tag !== "Completed") continue
    const repeated = new Set(batch.runs.slice(n + 1).flatMap(({ delivered }) => delivered))
    const again = batch.runs[n]?.delivered.filter((key) => repeated.has(key)) ?? []
    if (again.length > 0) violations.push(`items ${again.join(", ")} were delivered again after run ${n}`)
  }
  if (batch.runs.length > 0 && batch.runs.at(-1)?.end?._tag !== "Completed") violations.push("the batch never ended")
  return [...violations, ...lastOutcomes(played).flatMap((outcome) => checkItem(outcome, played))]
}

/** Returns the charge that the application knows or must accept for one call, in thousandths of a dollar. */
const expectedCharge = (played: Played, prompt: string, model: keyof typeof models, knows: boolean | undefined) => {
  const isCharged = knows ?? entryOf(played, prompt)?.status === "COMPLETED"
  return isCharged ? costOf(model) : 0
}

/** The account is charged once for each output, and once for each completed execution without a caller. */
export const checkCharges = (played: Played): Violations => {
  const calls = played.calls.map((call) => {
    const tag = latestRun(call)?.end?._tag
    const knows = tag === "Output" ? true : tag === "Ended" ? false : undefined
    return expectedCharge(played, call.prompt, call.settings.model, knows)
  })
  const items = lastOutcomes(played).map((outcome) => {
    const isUnknown = outcome._tag === "Failed" && outcome.error._tag === "SubmissionOutcomeUnknown"
    const knows = isUnknown ? undefined : outcome._tag === "Succeeded"
    return expectedCharge(played, itemPrompt(outcome.key), itemModel(outcome.item), knows)
  })
  const expected = [...calls, ...items].reduce((sum, charge) => sum + charge, 0)
  const charged = toMills(played.ledger.charged)
  return charged === expected ? [] : [`the account was charged ${charged} instead of ${expected} thousandths`]
}
