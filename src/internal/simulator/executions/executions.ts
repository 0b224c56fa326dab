/**
 * The executions that really exist, and the money that moves with them. Nothing runs in the background: before anybody
 * looks, the executions that have ended meanwhile are settled.
 *
 * @internal
 */
import type { Account } from "./account.js"
import type { TerminalOutcome } from "../faults/fault.js"
import type { Ids } from "../ids.js"
import type { Model } from "./model.js"
import * as Money from "./money.js"
import type { FinalStatus, InnerError, Plan, RunningStatus } from "./plan.js"
import * as PlanOf from "./plan.js"
import type { Submission } from "./submission.js"
import * as Timeline from "./timeQueue.js"
import type { Upcoming } from "./scheduledEvents.js"

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
  readonly plan: Plan
  readonly fileIds: ReadonlyArray<string>
}

/** @internal */
export interface Final {
  readonly status: FinalStatus
  readonly at: number
  readonly error?: InnerError
}

/** @internal */
export interface Create {
  readonly submission: Submission
  readonly model: Model
  readonly idempotencyKey: string | undefined
  /** Asked once it is sure that there will be an execution. */
  readonly ending: () => TerminalOutcome | undefined
  readonly files: number
}

/** @internal */
export interface Executions {
  /** Brings everything up to this moment; the other methods see what it left. */
  readonly settle: (now: number) => void
  /** Undefined when the balance does not cover the hold. */
  readonly create: (create: Create, now: number) => Execution | undefined
  readonly get: (id: string) => Execution | undefined
  readonly byKey: (key: string, now: number) => Execution | undefined
  readonly byFile: (fileId: string) => Execution | undefined
  /** How it ended, undefined while it runs. */
  readonly final: (execution: Execution) => Final | undefined
  readonly status: (execution: Execution, now: number) => RunningStatus | FinalStatus
  readonly cancel: (execution: Execution, now: number) => void
  /** In the order of their creation. */
  readonly all: () => Iterable<Execution>
}

/** @internal */
export const make = (options: {
  readonly account: Account
  readonly ids: Ids
  readonly expiresAfter: number
  readonly keyTtl: number
  /** Told of all that will happen. */
  readonly upcoming: Upcoming<Execution>
}): Executions => {
  const { account, ids, upcoming } = options
  const executions = new Map<string, Execution>()
  const finals = new Map<string, Final>()
  const keys = new Map<string, Execution>()
  const files = new Map<string, Execution>()
  const due = Timeline.make<Execution>()

  const end = (execution: Execution, final: Final) => {
    finals.set(execution.id, final)
    account.settle(execution.hold, final.status === "COMPLETED" ? execution.cost : 0)
    if (final.status === "COMPLETED") {
      execution.fileIds.forEach((fileId) => files.set(fileId, execution))
    }
  }

  const status = (execution: Execution, now: number) =>
    finals.get(execution.id)?.status ?? PlanOf.statusAt(execution.plan, now)

  return {
    settle: (now) => {
      for (const execution of due.take(now)) {
        if (!finals.has(execution.id)) {
          end(execution, { at: execution.plan.endsAt, ...execution.plan })
        }
      }
    },
    create: ({ submission, model, idempotencyKey, ending, files }, now) => {
      const cost = Money.parse(model.cost)
      const hold = Money.holdFor(cost)
      if (!account.hold(hold)) {
        return undefined
      }
      const expiresAt = now + options.expiresAfter
      const execution: Execution = {
        id: ids.execution(),
        idempotencyKey,
        submission,
        model,
        cost,
        hold,
        createdAt: now,
        expiresAt,
        plan: PlanOf.make(model, now, expiresAt, ending()),
        fileIds: Array.from({ length: files }, ids.file)
      }
      executions.set(execution.id, execution)
      if (idempotencyKey !== undefined) {
        keys.set(idempotencyKey, execution)
      }
      due.add(execution.plan.endsAt, execution)
      upcoming.add(execution)
      return execution
    },
    get: (id) => executions.get(id),
    byKey: (key, now) => {
      const execution = keys.get(key)
      return execution !== undefined && now - execution.createdAt < options.keyTtl ? execution : undefined
    },
    byFile: (fileId) => files.get(fileId),
    final: (execution) => finals.get(execution.id),
    status,
    cancel: (execution, now) => {
      end(execution, { status: "CANCELLED", at: now })
      upcoming.cancel(execution, now)
    },
    all: () => executions.values()
  }
}
