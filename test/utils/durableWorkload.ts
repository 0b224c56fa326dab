/** The durable executions and the webhook events of the tests and benchmarks. */
import * as Effect from "effect/Effect"
import { Execution, Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"

/** Durations of the simulated executions, in seconds. */
const durations = [1, 2, 3, 4, 6, 8, 10, 12] as const

/** The models of the simulator. */
export const models = Object.fromEntries(
  durations.map(
    (seconds) => [`takes-${seconds}`, { duration: `${seconds} seconds`, cost: "0.010", output: "image" }] as const
  )
)

export const idOf = (index: number): string => `order-${index}`

/** Returns the request of a durable execution. Every third execution has no webhook, so only the clock ends its wait. */
const requestOf = (index: number, webhookUrl: string): Execution.CreateRequest => ({
  model: `takes-${durations[index % durations.length] ?? 1}`,
  input: { prompt: `picture ${index}` },
  ...(index % 3 === 2 ? {} : { webhookUrl })
})

/** Starts a durable execution. */
export const start = (index: number, webhookUrl: string) =>
  DurableExecution.start(idOf(index), requestOf(index, webhookUrl))

/** Waits for the end of a durable execution. Returns its status or the tag of its error. */
export const outcomeOf = (index: number) =>
  DurableExecution.await(idOf(index)).pipe(
    Effect.match({ onFailure: ({ _tag }): string => _tag, onSuccess: ({ status }): string => status })
  )

/** Returns the webhook event that reports the end of the execution of a workflow. */
export const completedEventOf = (workflowId: string): Webhook.Event =>
  new Webhook.Event({
    id: Webhook.EventId.make(`evt_${workflowId}`),
    type: "execution.completed",
    execution: new Execution.Execution({
      id: Execution.ExecutionId.make("exec_1"),
      status: "COMPLETED",
      metadata: { durable_execution: workflowId }
    })
  })
