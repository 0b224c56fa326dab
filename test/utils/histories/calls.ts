/** Runs the calls of a history in the process of the application, and records their ends. */
import type { Fiber } from "effect"
import { Cause, Clock, Effect, Exit, Option, Stream } from "effect"
import { type Execution, ModelRouteError } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import type { App } from "./app.js"
import type { CallSettings } from "./commands.js"
import type { SimulatedProcess } from "./process.js"

/** An error of a call. */
export type CallError = ModelRouteError.ModelRouteError | DurableExecution.Cancelled

/**
 * The end of a call:
 *
 * - `Output`: the application has the output.
 * - `Ended`: the execution ended without an output.
 * - `Unresolved`: the application has an error, and the execution may continue.
 * - `Interrupted`: the application interrupted the call.
 * - `Defect`: the call failed with a defect.
 */
export type CallEnd =
  | { readonly _tag: "Output"; readonly completed: Execution.Completed }
  | { readonly _tag: "Ended"; readonly error: CallError }
  | { readonly _tag: "Unresolved"; readonly error: CallError }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Defect"; readonly message: string }

/** A call in one process. */
export interface CallRun {
  readonly process: SimulatedProcess
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly startedAt: number
  /** Time limit of the wait. A recovery has no time limit. */
  readonly timeoutMillis: number | undefined
  /** Id that the application had stored when the run started. */
  readonly resumedId: Execution.ExecutionId | undefined
  /** Indicates that the fiber has started. An earlier interruption prevents the call. */
  hasBegun: boolean
  acceptedAt: number | undefined
  interruptedAt: number | undefined
  end: CallEnd | undefined
  endedAt: number | undefined
}

/** A request that the application changes while the client sends the request. */
export interface MutableRequest extends Execution.CreateRequest {
  readonly input: { readonly prompt: string; revision: number }
}

/** A logical call of the application. The application repeats the call after a restart if its key is stored. */
export interface Call {
  readonly number: number
  readonly settings: CallSettings
  readonly prompt: string
  readonly storedKey: string | undefined
  /** Request of the latest run. `input.revision` changes after each request of the history. */
  request: MutableRequest
  /** Id that the application has stored. */
  storedId: Execution.ExecutionId | undefined
  /** Indicates that the application cancelled the execution. */
  isCancelled: boolean
  /** Indicates that the application does not continue the call. */
  isAbandoned: boolean
  readonly runs: Array<CallRun>
}

export const promptOf = (number: number): string => `call ${number}`

const makeRequest = (number: number, { hasWebhook, model }: CallSettings): MutableRequest => ({
  model,
  input: { prompt: promptOf(number), revision: 0 },
  ...(hasWebhook ? { webhookUrl: "https://backend.test/hooks" } : {})
})

export const makeCall = (number: number, settings: CallSettings): Call => ({
  number,
  settings,
  prompt: promptOf(number),
  storedKey: settings.key === "stored" && settings.kind !== "durable" ? `stored-${number}` : undefined,
  request: makeRequest(number, settings),
  storedId: undefined,
  isCancelled: false,
  isAbandoned: false,
  runs: []
})

export const latestRun = ({ runs }: Call): CallRun | undefined => runs.at(-1)

export const isRunning = (call: Call): boolean => {
  const run = latestRun(call)
  return run !== undefined && run.process.isAlive && run.end === undefined
}

/** Returns the name of a durable execution. */
export const durableId = ({ number }: Call): string => `order-${number}`

/** Returns the time limit of a wait. The wait of a durable execution has no time limit. */
const timeoutMillisOf = ({ settings: { kind, timeoutSeconds } }: Call): number | undefined =>
  kind === "durable" || timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000

const optionsOf = ({ settings, storedKey }: Call) => ({
  ...(storedKey === undefined ? {} : { idempotencyKey: storedKey }),
  ...(settings.timeoutSeconds === undefined ? {} : { timeout: `${settings.timeoutSeconds} seconds` as const }),
  cancelOnInterrupt: settings.cancelOnInterrupt
})

type Run = Effect.Effect<Execution.Completed, CallError>

const awaitStored = ({ client }: App, call: Call, id: Execution.ExecutionId): Run =>
  client.executions.await(id, { ...optionsOf(call), pollImmediately: true })

const startNew = (
  { client: { executions }, services }: App,
  call: Call,
  accept: (id: Execution.ExecutionId) => void
): Run => {
  const { request, settings } = call
  const options = optionsOf(call)
  switch (settings.kind) {
    case "run":
      return executions.run(request, { ...options, onAccepted: ({ id }) => Effect.sync(() => accept(id)) })
    case "await":
      return executions.create(request, options).pipe(
        Effect.tap(({ id }) => Effect.sync(() => accept(id))),
        Effect.flatMap(({ id }) => executions.await(id, options))
      )
    case "watch":
      return executions.create(request, options).pipe(
        Effect.tap(({ id }) => Effect.sync(() => accept(id))),
        Effect.tap(({ id }) => Stream.runDrain(executions.watch(id, options))),
        Effect.flatMap(({ id }) => executions.result(id))
      )
    case "durable":
      return Effect.provide(
        Effect.zipRight(DurableExecution.start(durableId(call), request), DurableExecution.await(durableId(call))),
        services
      )
  }
}

const toEnd = (exit: Exit.Exit<Execution.Completed, CallError>): CallEnd => {
  if (Exit.isSuccess(exit)) return { _tag: "Output", completed: exit.value }
  if (Cause.isInterruptedOnly(exit.cause)) return { _tag: "Interrupted" }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) return { _tag: "Defect", message: Cause.pretty(exit.cause) }
  return ModelRouteError.isExecutionEnded(error) ? { _tag: "Ended", error } : { _tag: "Unresolved", error }
}

/** Starts an effect as a new run of a call. */
const startRun = (
  app: App,
  call: Call,
  timeoutMillis: number | undefined,
  makeEffect: (accept: (id: Execution.ExecutionId) => void) => Run
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      const { process } = app
      const now = () => clock.unsafeCurrentTimeMillis()
      let run: CallRun | undefined
      const accept = (id: Execution.ExecutionId) => {
        if (!process.isAlive) return
        call.storedId = id
        if (run !== undefined) run.acceptedAt = now()
      }
      const effect = Effect.suspend(() => {
        if (run !== undefined) run.hasBegun = true
        // The application has stored the request. Each run starts with the stored request.
        call.request = makeRequest(call.number, call.settings)
        return makeEffect(accept)
      })
      const fiber = process.fork(effect)
      run = {
        process,
        fiber,
        startedAt: now(),
        timeoutMillis,
        resumedId: call.storedId,
        hasBegun: false,
        acceptedAt: undefined,
        interruptedAt: undefined,
        end: undefined,
        endedAt: undefined
      }
      const started = run
      fiber.addObserver((exit) => {
        if (!process.isAlive) return
        started.end = toEnd(exit)
        started.endedAt = now()
      })
      call.runs.push(started)
    })
  )

/** Starts a call, or continues the call with the stored id. */
export const startCall = (app: App, call: Call): Effect.Effect<void> =>
  startRun(app, call, timeoutMillisOf(call), (accept) =>
    call.storedId === undefined ? startNew(app, call, accept) : awaitStored(app, call, call.storedId)
  )

/** Continues an unresolved call with the id or the key in its error. */
export const recoverCall = (app: App, call: Call, error: CallError): Effect.Effect<void> => {
  const id = "executionId" in error ? error.executionId : undefined
  const key = "idempotencyKey" in error ? error.idempotencyKey : undefined
  const { executions } = app.client
  if (id !== undefined) return startRun(app, call, undefined, () => executions.await(id, { pollImmediately: true }))
  if (key === undefined) return Effect.void
  return startRun(app, call, undefined, () => executions.run(call.request, { idempotencyKey: key }))
}

/** Interrupts the running fiber of a call. Does not wait for its end. */
export const interruptCall = (call: Call): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const run = latestRun(call)
    if (run === undefined || !isRunning(call) || run.interruptedAt !== undefined) return
    run.interruptedAt = now
    call.isAbandoned = true
    run.fiber.unsafeInterruptAsFork(run.fiber.id())
  })

/** Cancels the execution of a call. Has no effect if the application does not know the execution. */
export const cancelCall = (app: App, call: Call): Effect.Effect<void> =>
  Effect.sync(() => {
    const { storedId } = call
    if (call.settings.kind === "durable") {
      call.isCancelled = true
      app.process.fork(Effect.provide(DurableExecution.cancel(durableId(call)), app.services))
    } else if (storedId !== undefined) {
      call.isCancelled = true
      app.process.fork(Effect.ignore(app.client.executions.cancel(storedId)))
    }
  })

/** Starts the next attempt of a suspended durable execution. Has no effect on other calls. */
export const resumeCall = (app: App, call: Call): void => {
  if (call.settings.kind !== "durable") return
  app.process.fork(Effect.provide(DurableExecution.resume(durableId(call)), app.services))
}
