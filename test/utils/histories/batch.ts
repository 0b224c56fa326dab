/** Runs the batch of a history and records its outcomes. */
import type { Fiber } from "effect"
import { Cause, Clock, Effect, Exit, Stream } from "effect"
import { Batch } from "effect-modelroute"
import type { App } from "./app.js"
import type { models } from "./commands.js"
import { type ModelName } from "./commands.js"
import type { SimulatedProcess } from "./process.js"

export type Outcome = Batch.Outcome<number>

/**
 * The end of a run. `killed` means that the process was killed, `failed` that the stream failed or died.
 */
export type RunEnd =
  | { readonly _tag: "Completed" }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Failed"; readonly message: string }

export interface BatchRun {
  readonly process: SimulatedProcess
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly stop: Effect.Effect<void>
  readonly outcomes: Array<Outcome>
  /** Keys of the outcomes that `deliver` has received with an output. */
  readonly delivered: Array<string>
  interruptedAt: number | undefined
  end: RunEnd | undefined
  endedAt: number | undefined
}

export interface BatchState {
  readonly items: number
  readonly runs: Array<BatchRun>
  /** Indicates that the application continues the batch after a restart. */
  isWanted: boolean
  /** Number of requests that the application has made. Each request is different. */
  requests: number
}

export const itemPrompt = (item: number | string): string => `item ${item}`

const itemModels: ReadonlyArray<ModelName> = ["quick", "image", "video", "silent"]

export const itemModel = (item: number): keyof typeof models => itemModels[item] ?? "quick"

export const makeBatchState = (items: number): BatchState => ({ items, runs: [], isWanted: false, requests: 0 })

export const isBatchRunning = ({ runs }: BatchState): boolean => {
  const run = runs.at(-1)
  return run !== undefined && run.process.isAlive && run.end === undefined
}

/** Returns whether a later run must continue the batch. */
export const isBatchUnfinished = (state: BatchState): boolean =>
  state.isWanted && state.runs.at(-1)?.end?._tag !== "Completed"

const toRunEnd = (exit: Exit.Exit<unknown, unknown>): RunEnd => {
  if (Exit.isSuccess(exit)) return { _tag: "Completed" }
  return Cause.isInterruptedOnly(exit.cause)
    ? { _tag: "Interrupted" }
    : { _tag: "Failed", message: Cause.pretty(exit.cause) }
}

const makeBatch = (state: BatchState, { process, services }: App, concurrency: number, delivered: Array<string>) =>
  Effect.provide(
    Batch.make(
      Array.from({ length: state.items }, (_, item) => item),
      {
        id: "items",
        key: String,
        concurrency,
        // Each request is different, so that a lost journal entry would change the body of a resent request.
        request: (item) =>
          Effect.sync(() => ({
            model: itemModel(item),
            input: { prompt: itemPrompt(item), revision: (state.requests += 1) }
          })),
        deliver: ({ _tag, key }) =>
          Effect.sync(() => {
            if (process.isAlive && _tag === "Succeeded") delivered.push(key)
          })
      }
    ),
    services
  )

/** Starts a run of the batch. */
export const startBatch = (state: BatchState, app: App, concurrency: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { process } = app
    const clock = yield* Effect.clock
    const outcomes: Array<Outcome> = []
    const delivered: Array<string> = []
    const batch = yield* makeBatch(state, app, concurrency, delivered)
    const record = (outcome: Outcome) =>
      Effect.sync(() => {
        if (process.isAlive) outcomes.push(outcome)
      })
    const fiber = process.fork(Stream.runForEach(batch.outcomes, record))
    const run: BatchRun = {
      process,
      fiber,
      stop: batch.stop,
      outcomes,
      delivered,
      interruptedAt: undefined,
      end: undefined,
      endedAt: undefined
    }
    fiber.addObserver((exit) => {
      if (!process.isAlive) return
      run.end = toRunEnd(exit)
      run.endedAt = clock.unsafeCurrentTimeMillis()
    })
    state.runs.push(run)
  })

/** Stops the submissions of the running batch. */
export const stopBatch = (state: BatchState): Effect.Effect<void> =>
  Effect.sync(() => {
    const run = state.runs.at(-1)
    if (run !== undefined && isBatchRunning(state)) run.process.fork(run.stop)
  })

/** Interrupts the running batch. Does not wait for its end. */
export const interruptBatch = (state: BatchState): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const run = state.runs.at(-1)
    if (run === undefined || !isBatchRunning(state) || run.interruptedAt !== undefined) return
    run.interruptedAt = now
    run.fiber.unsafeInterruptAsFork(run.fiber.id())
  })
