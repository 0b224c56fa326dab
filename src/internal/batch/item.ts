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
import type { Spending } from "./costBudget.js"
import { type JournalEntry, entryOf } from "./journalEntry.js"
import type { Write } from "./journalWriter.js"
import type { Outcome } from "./outcome.js"
import type { Body, Rules } from "./plan.js"
import type { Tally } from "./progress.js"
import type { Stop } from "./stopSignal.js"

/** @internal What the items of one run share. */
export interface Run {
  readonly batch: string
  /** This run. */
  readonly id: string
  readonly executions: Executions
  readonly write: Write
  readonly stop: Stop
  readonly tally: Tally
  /** Where there is a limit. */
  readonly spending: Spending | undefined
  readonly wait: WatchOptions
}

/** @internal One item, as it was read. */
export interface Item<A, E, R> {
  readonly item: A
  readonly index: number
  readonly key: string
  readonly found: Option.Option<JournalEntry>
  /** Of the request; empty where it takes an effect to make one. */
  readonly digest: string
  readonly body: Effect.Effect<Body, AwaitFailure | E, R>
  /** What the API will hold for it, where the caller knows. */
  readonly hold: money.Amount | undefined
  readonly rules: Rules
}

/** @internal What became of an item, and what the journal holds of it now. */
export interface Ended<A, E> {
  readonly outcome: Outcome<A, E>
  readonly entry?: JournalEntry
  /** Whether the journal has told it all. */
  readonly isFromJournal?: boolean
}

/** @internal An outcome that was handed out has been delivered, if it is final. */
export const isDeliverable = (entry: JournalEntry | undefined): entry is JournalEntry => entry?.step === "Ended"

/** @internal */
export const delivered = (entry: JournalEntry): JournalEntry => entryOf({ ...entry, step: "Delivered" })

/** @internal 128 bits. */
export const digestOf = (content: string): string => sha256Hex(content).slice(0, 32)
