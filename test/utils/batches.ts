/** Runs batches against the simulator in memory, in virtual time. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { valueOf } from "./exit.js"
import { layer, type Requirements, type Setup, silent, start } from "./harness.js"
import { runInVirtualTime } from "./virtualTime.js"

export const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

export const requestOf = (n: number) => ({ model: "flux-1.1-pro", input: { prompt: `picture ${n}` } })

/** Options of a batch of numbers. */
export const batchOptions = { id: "catalogue", key: String, request: requestOf }

/** Creates a journal that several runs of a test share, like a journal on disk. */
export const makeMemoryJournal: Effect.Effect<Batch.JournalService> = Effect.provide(
  Batch.Journal,
  Batch.layerJournalMemory
)

export const withJournal = (service: Batch.JournalService): Layer.Layer<Batch.Journal> =>
  Layer.succeed(Batch.Journal, service)

export const runBatchExit = <A, E>(
  program: Effect.Effect<A, E, Requirements | Batch.Journal>,
  setup: Setup = {}
): Effect.Effect<Exit.Exit<A, unknown>> =>
  runInVirtualTime(program.pipe(Effect.provide([layer(setup), Batch.layerJournalMemory]), silent), start)

/** Runs a program at `start` in virtual time. Dies if a fiber still waits for a timer at the end. */
export const runBatchTest = <A, E>(
  program: Effect.Effect<A, E, Requirements | Batch.Journal>,
  setup: Setup = {}
): Effect.Effect<A> => Effect.map(runBatchExit(program, setup), valueOf)

/** Returns the ledger of the simulator. */
export const readLedger = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.ledger)

/** Returns the sum of all costs and holds, in thousandths of a dollar. */
export const committedMills = ({ charged, executions }: Simulator.Ledger): number =>
  Math.round(1000 * (Number(charged) + executions.reduce((sum, { held }) => sum + Number(held), 0)))

export const collect = <A, E, R>(stream: Stream.Stream<A, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

/** Counts equal names. */
export const countBy = (names: Iterable<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

export const countTags = (outcomes: ReadonlyArray<Batch.Outcome<unknown, unknown>>): Readonly<Record<string, number>> =>
  countBy(outcomes.map((outcome) => (outcome._tag === "Failed" && outcome.final ? "Failed permanently" : outcome._tag)))
