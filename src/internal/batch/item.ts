/**
 * The types that the steps of one batch item share.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { AwaitFailure } from "../../ModelRouteError.js"
import type * as money from "../data/money.js"
import { sha256Hex } from "../data/sha256.js"
import type { Executions, WatchOptions } from "../executions/types.js"
import type { CostBudget } from "./costBudget.js"
import { type JournalEntry, makeEntry } from "./journalEntry.js"
import type { WriteEntry } from "./journalWriter.js"
import type { Outcome } from "./outcome.js"
import type { PlanOptions, RequestBody } from "./plan.js"
import type { ProgressCounter } from "./progress.js"
import type { StopSignal } from "./stopSignal.js"

/** @internal The services and options that all items of a run share. */
export interface ItemContext {
  readonly batchId: string
  readonly runId: string
  readonly executions: Executions
  readonly write: WriteEntry
  readonly stop: StopSignal
  readonly progress: ProgressCounter
  /** Present if the batch has a cost limit. */
  readonly costBudget: CostBudget | undefined
  readonly waitOptions: WatchOptions
}

/** @internal One item and its journal entry. */
export interface Item<A, E, R> {
  readonly item: A
  readonly index: number
  readonly key: string
  /** The journal entry of an earlier run, or of an earlier item with the same key. */
  readonly previous: Option.Option<JournalEntry>
  /** Digest of the request. Empty if an effect makes the request and there is no `version`. */
  readonly digest: string
  readonly body: Effect.Effect<RequestBody, AwaitFailure | E, R>
  /** The expected hold, if the caller provides one. */
  readonly hold: money.Amount | undefined
  readonly planOptions: PlanOptions
}

/** @internal The outcome of an item and its newest journal entry. */
export interface ItemResult<A, E> {
  readonly outcome: Outcome<A, E>
  readonly entry?: JournalEntry
  /** Whether the outcome came from the journal, without a request. */
  readonly isFromJournal?: boolean
}

/** @internal Returns whether the outcome of an entry counts as delivered once its consumer asks for the next one. */
export const canMarkDelivered = (entry: JournalEntry | undefined): entry is JournalEntry => entry?.step === "Ended"

/** @internal */
export const markDelivered = (entry: JournalEntry): JournalEntry => makeEntry({ ...entry, step: "Delivered" })

/** @internal Returns the first 128 bits of the SHA-256 of a text, in hex. */
export const computeDigest = (content: string): string => sha256Hex(content).slice(0, 32)
