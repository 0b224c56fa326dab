/** Runs durable executions on the memory engine against the simulator. */
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import { type Duration, Effect, Layer, TestClock } from "effect"
import { type Execution, RetryPolicy, Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as harness from "./harness.js"

/** Setup of the client and the simulator, and the options of the durable executions. */
export interface Setup extends harness.Setup {
  readonly durable?: DurableExecution.Options
  readonly engine?: Layer.Layer<WorkflowEngine.WorkflowEngine>
  readonly suspensionStore?: Layer.Layer<DurableExecution.SuspensionStore>
}

export type Requirements = harness.Requirements | WorkflowEngine.WorkflowEngine | DurableExecution.SuspensionStore

/** Provides the memory engine and a store of suspensions in memory. */
export const memoryEngine = Layer.merge(WorkflowEngine.layerMemory, DurableExecution.layerSuspensionStoreMemory)

/** Provides a worker. The client does not retry, so each request of a workflow is one attempt. */
export const layer = ({
  durable,
  engine = WorkflowEngine.layerMemory,
  suspensionStore = DurableExecution.layerSuspensionStoreMemory,
  ...setup
}: Setup = {}) =>
  DurableExecution.layer(durable).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        harness.layer({ ...setup, client: { retry: RetryPolicy.none, ...setup.client } }),
        engine,
        suspensionStore
      )
    )
  )

/** Runs a test at `start` on the test clock. Disables logging. */
export const simulate = <A, E>(test: Effect.Effect<A, E, Requirements>, setup: Setup = {}) =>
  Effect.zipRight(TestClock.setTime(harness.start), Effect.provide(test, layer(setup))).pipe(harness.silent)

/** Returns the exit of a durable execution. Advances the clock until its end. */
export const runToEnd = (id: string) => harness.runToEnd(DurableExecution.await(id))

/** Returns `Complete` or `Suspended`, or `undefined` if the workflow runs. */
export const stateOf = (id: string) =>
  Effect.flatMap(DurableExecution.workflow.executionId({ id, request: harness.image }), (workflowId) =>
    Effect.map(DurableExecution.workflow.poll(workflowId), (result) => result?._tag)
  )

/** Waits until a condition holds. Uses the real clock. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(condition, (isTrue) => (isTrue ? Effect.void : Effect.delay(until(condition), 20)))

/** Returns the arrival times of the requests of an operation, in seconds after `start`. */
export const secondsOf = (operation: string) =>
  Effect.map(harness.arrivalTimes(`executions.${operation}`), (times) => times.map((millis) => millis / 1000))

/** Returns the statuses and the idempotency keys of all executions. */
export const ledger = Effect.flatMap(Simulator, (simulator) =>
  Effect.map(simulator.ledger, ({ executions }) => ({
    statuses: executions.map(({ status }) => status),
    keys: new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size
  }))
)

/** A request whose events arrive at the app of `receiveEvents`. */
export const withWebhook: Execution.CreateRequest = { ...harness.image, webhookUrl: "https://backend.test/hooks" }

/** Delivers the events of the simulator to `onEvent`. */
export const receiveEvents = Effect.flatMap(Simulator, (simulator) =>
  simulator.deliverTo(Webhook.handler({ secrets: simulator.webhookSecret, onEvent: DurableExecution.onEvent }))
)

/** Injects faults into the requests of an operation. */
export const injectInto = (operation: Fault.Matcher, ...faults: ReadonlyArray<Fault.Fault>) =>
  Effect.flatMap(Simulator, (simulator) => simulator.inject(...faults.map((fault) => Fault.on(operation, fault))))

/** Wraps the memory engine. The body of a workflow also uses the wrapped engine. */
export const wrapEngine = (
  wrap: (engine: WorkflowEngine.WorkflowEngine["Type"]) => Partial<WorkflowEngine.WorkflowEngine["Type"]>
): Layer.Layer<WorkflowEngine.WorkflowEngine> =>
  Layer.effect(
    WorkflowEngine.WorkflowEngine,
    Effect.map(WorkflowEngine.WorkflowEngine, (engine) => {
      const wrapped: WorkflowEngine.WorkflowEngine["Type"] = {
        ...engine,
        register: (workflow, execute) =>
          engine.register(workflow, (payload, executionId) =>
            Effect.provideService(execute(payload, executionId), WorkflowEngine.WorkflowEngine, wrapped)
          ),
        ...wrap(engine)
      }
      return wrapped
    })
  ).pipe(Layer.provide(WorkflowEngine.layerMemory))

/**
 * Provides an engine that loses the result of the first submission and runs it again after a delay. An engine does the
 * same if the worker is killed after the request was sent.
 */
export const withLostSubmission = (delay: Duration.DurationInput) =>
  wrapEngine(({ activityExecute }) => {
    let isLost = false
    return {
      activityExecute: (activity, attempt) => {
        if (isLost || !activity.name.startsWith("submit/")) return activityExecute(activity, attempt)
        isLost = true
        return activity.executeEncoded.pipe(
          Effect.scoped,
          Effect.ignore,
          Effect.zipRight(Effect.sleep(delay)),
          Effect.zipRight(activityExecute(activity, attempt))
        )
      }
    }
  })
