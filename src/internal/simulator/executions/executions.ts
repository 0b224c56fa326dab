/**
 * Stores the executions of the server, with their holds and charges. No background fiber ends the executions. Instead,
 * each request first settles the executions that have ended since the previous request. Settling releases the hold of
 * an execution and charges its cost.
 *
 * @internal
 */
import type { Outcome } from "../faults/settings.js"
import type { Ids } from "../ids.js"
import type { Account } from "./account.js"
import type { Model } from "./model.js"
import * as Money from "./money.js"
import * as Plan from "./plan.js"
import type { ScheduledEvents } from "./scheduledEvents.js"
import type { Submission } from "./submission.js"
import * as TimeQueue from "./timeQueue.js"

/** @internal */
export interface Execution {
  readonly id: string
  readonly idempotencyKey: string | undefined
  readonly submission: Submission
  readonly model: Model
  readonly cost: Money.Micros
  readonly hold: Money.Micros
  readonly createdAt: number
  readonly expiresAt: number
  readonly plan: Plan.Plan
  /** Output from an outcome fault, which replaces the output of the model. `undefined` without such a fault. */
  readonly output: unknown
  readonly fileIds: ReadonlyArray<string>
}

/** @internal The terminal status of an execution, with its time and error. */
export interface TerminalState {
  readonly status: Plan.TerminalStatus
  readonly at: number
  readonly error?: Plan.ExecutionError
}

/** @internal */
export interface CreateOptions {
  readonly submission: Submission
  readonly model: Model
  readonly idempotencyKey: string | undefined
  /**
   * Returns the outcome fault of the create request. Called only if the execution is created, because each call uses up
   * one fault.
   */
  readonly nextOutcome: () => Outcome | undefined
  readonly fileCount: number
}

/** @internal */
export interface Executions {
  /**
   * Releases the holds of all executions that have ended by `now`, and charges the completed executions. Call `settle`
   * before the other methods, because these methods do not settle executions.
   */
  readonly settle: (now: number) => void
  /** Creates an execution. Returns `undefined` if the available balance is lower than the hold. */
  readonly create: (options: CreateOptions, now: number) => Execution | undefined
  readonly get: (id: string) => Execution | undefined
  readonly findByKey: (key: string, now: number) => Execution | undefined
  readonly findByFile: (fileId: string) => Execution | undefined
  /** Returns the terminal state, or `undefined` while the execution runs. */
  readonly terminalState: (execution: Execution) => TerminalState | undefined
  readonly status: (execution: Execution, now: number) => Plan.RunningStatus | Plan.TerminalStatus
  readonly cancel: (execution: Execution, now: number) => void
  /** Returns all executions in the order of creation. */
  readonly all: () => Iterable<Execution>
}

interface ExecutionsContext {
  readonly account: Account
  readonly ids: Ids
  readonly expiresAfterMillis: number
  readonly keyTtlMillis: number
  readonly scheduledEvents: ScheduledEvents<Execution>
}

interface Store {
  readonly byId: Map<string, Execution>
  readonly byKey: Map<string, Execution>
  readonly byFile: Map<string, Execution>
  readonly terminalStates: Map<string, TerminalState>
  readonly endQueue: TimeQueue.TimeQueue<Execution>
}

/**
 * Places the hold of an execution and returns the new execution. Returns `undefined` if the available balance is lower
 * than the hold.
 */
const makeExecution = (
  { account, expiresAfterMillis, ids }: ExecutionsContext,
  { fileCount, idempotencyKey, model, nextOutcome, submission }: CreateOptions,
  now: number
): Execution | undefined => {
  const cost = Money.parse(model.cost)
  const hold = Money.holdFor(cost)
  if (!account.hold(hold)) {
    return undefined
  }
  const expiresAt = now + expiresAfterMillis
  const outcome = nextOutcome()
  const output = outcome?.status === "COMPLETED" ? outcome.output : undefined
  return {
    id: ids.execution(),
    idempotencyKey,
    submission,
    model,
    cost,
    hold,
    createdAt: now,
    expiresAt,
    plan: Plan.make(model, now, expiresAt, outcome),
    output,
    fileIds: output === undefined ? Array.from({ length: fileCount }, ids.file) : []
  }
}

const add = ({ scheduledEvents }: ExecutionsContext, store: Store, execution: Execution): Execution => {
  store.byId.set(execution.id, execution)
  if (execution.idempotencyKey !== undefined) {
    store.byKey.set(execution.idempotencyKey, execution)
  }
  store.endQueue.add(execution.plan.endsAt, execution)
  scheduledEvents.add(execution)
  return execution
}

const endExecution = (
  { account }: ExecutionsContext,
  store: Store,
  execution: Execution,
  state: TerminalState
): void => {
  store.terminalStates.set(execution.id, state)
  account.settle(execution.hold, state.status === "COMPLETED" ? execution.cost : 0)
  if (state.status === "COMPLETED") {
    execution.fileIds.forEach((fileId) => store.byFile.set(fileId, execution))
  }
}

const settle = (context: ExecutionsContext, store: Store, now: number): void => {
  for (const execution of store.endQueue.takeDue(now)) {
    if (!store.terminalStates.has(execution.id)) {
      endExecution(context, store, execution, { at: execution.plan.endsAt, ...execution.plan })
    }
  }
}

/** @internal */
export const make = (context: ExecutionsContext): Executions => {
  const store: Store = {
    byId: new Map(),
    byKey: new Map(),
    byFile: new Map(),
    terminalStates: new Map(),
    endQueue: TimeQueue.make()
  }
  return {
    settle: (now) => settle(context, store, now),
    create: (options, now) => {
      const execution = makeExecution(context, options, now)
      return execution && add(context, store, execution)
    },
    get: (id) => store.byId.get(id),
    findByKey: (key, now) => {
      const execution = store.byKey.get(key)
      return execution !== undefined && now - execution.createdAt < context.keyTtlMillis ? execution : undefined
    },
    findByFile: (fileId) => store.byFile.get(fileId),
    terminalState: (execution) => store.terminalStates.get(execution.id),
    status: (execution, now) => store.terminalStates.get(execution.id)?.status ?? Plan.statusAt(execution.plan, now),
    cancel: (execution, now) => {
      endExecution(context, store, execution, { status: "CANCELLED", at: now })
      context.scheduledEvents.cancel(execution, now)
    },
    all: () => store.byId.values()
  }
}
