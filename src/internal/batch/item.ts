/**
 * Defines the types that all steps of a batch item share.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Completed } from "../../Execution.js"
import type { AwaitFailure, InvalidRequest, OutputDecodeError } from "../../ModelRouteError.js"
import type * as money from "../data/money.js"
import { sha256Hex } from "../data/sha256.js"
import type { WatchOptions } from "../executions/optionTypes.js"
import type { Executions } from "../executions/types.js"
import type { CostBudget } from "./costBudget.js"
import { type JournalEntry, makeEntry } from "./journalEntry.js"
import type { WriteEntry } from "./journalWriter.js"
import type { Outcome } from "./outcome.js"
import type { PlanOptions, RequestBody } from "./plan.js"
import type { ProgressCounter } from "./progress.js"
import type { StopSignal } from "./stopSignal.js"

/** @internal Services and options that all items of a run share. */
export interface ItemContext {
  readonly batchId: string
  readonly runId: string
  readonly executions: Executions
  readonly write: WriteEntry
  readonly stop: StopSignal
  readonly progress: ProgressCounter
  /** Budget for the option `maxCost`. `undefined` if the batch has no cost limit. */
  readonly costBudget: CostBudget | undefined
  readonly waitOptions: WatchOptions
}

/** @internal Batch item with its request and its journal entry. */
export interface Item<A, E, R, Out = unknown> {
  readonly item: A
  readonly index: number
  readonly key: string
  /** Journal entry from an earlier run or from an earlier item with the same key. `None` if the key has no entry. */
  readonly previous: Option.Option<JournalEntry>
  /**
   * Digest of `version`, or of the request if `version` is absent. Empty if the request is unknown before the
   * submission, for example a request from an effect.
   */
  readonly digest: string
  readonly body: Effect.Effect<RequestBody, AwaitFailure | E, R>
  /**
   * Decodes the output with the schema of the typed model. Fails with `OutputDecodeError` if the output does not match
   * the schema. Fails with `InvalidRequest` if the item has no valid request, because the model is then unknown. The
   * field is `undefined` if the request has no typed model.
   */
  readonly decode: ((completed: Completed) => Effect.Effect<Out, InvalidRequest | OutputDecodeError>) | undefined
  /** Expected hold from the option `hold`. `undefined` if the option is absent. */
  readonly hold: money.Amount | undefined
  readonly planOptions: PlanOptions
}

/** @internal Outcome of an item with its latest journal entry. */
export interface ItemResult<A, E, Out = unknown> {
  readonly outcome: Outcome<A, E, Out>
  readonly entry?: JournalEntry
  /** Indicates whether the outcome came from the journal, without a request. */
  readonly isFromJournal?: boolean
  /**
   * Indicates whether the decoding of the output failed. The outcome then does not count as delivered, so a later run
   * decodes the output again.
   */
  readonly isUndecoded?: boolean
}

/** @internal Returns whether an entry contains a final outcome that is not marked as delivered. */
export const canMarkDelivered = (entry: JournalEntry | undefined): entry is JournalEntry => entry?.step === "Ended"

/** @internal */
export const markDelivered = (entry: JournalEntry): JournalEntry => makeEntry({ ...entry, step: "Delivered" })

/** @internal Returns the first 128 bits of the SHA-256 hash of a text as hexadecimal digits. */
export const computeDigest = (content: string): string => sha256Hex(content).slice(0, 32)
