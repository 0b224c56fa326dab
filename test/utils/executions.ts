/** Provides an execution, its notifications and its responses for tests of waits. */
import { Effect, TestClock } from "effect"
import { Execution, RetryPolicy } from "effect-modelroute"
import { makeFakeClient, type FakeResponse } from "./fake.js"
import { silent, start } from "./harness.js"

export const id = Execution.ExecutionId.make("exec_1")

export const output = { images: [{ file_id: "file_1" }] }

/** Returns a notification of the COMPLETED execution. `fields` overrides its fields. */
export const notification = (fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]> = {}) =>
  new Execution.Execution({ id, status: "COMPLETED", result: output, cost: "0.040", ...fields })

/** Returns the observation of a status, as a poller receives it. */
export const observationOf = (status: string, observedAt: number) => ({
  execution: new Execution.Execution({ id, status }),
  observedAt,
  deadline: undefined
})

/** Returns a response that contains the execution. */
export const statusResponse = (status: string, fields: Record<string, unknown> = {}): FakeResponse => ({
  status: 200,
  json: { id, status, ...fields }
})

/** Returns a response with an error envelope. */
export const errorResponse = (status: number, code = "NEW"): FakeResponse => ({
  status,
  json: { error: { code, message: "x" } }
})

/** Returns a client for an execution that is PENDING after the create request. Each poll returns `status`. */
export const clientWithStatus = (status = "PROCESSING", fields: Record<string, unknown> = {}) =>
  makeFakeClient((url) => {
    if (url.endsWith("/result")) return { status: 200, json: { execution_id: id, status: "COMPLETED", output } }
    return statusResponse(url.endsWith("/executions") ? "PENDING" : status, fields)
  })

/** Returns a client without retries that receives these responses in order. The last response repeats. */
export const clientWithResponses = (...replies: ReadonlyArray<FakeResponse>) =>
  makeFakeClient((_, n) => replies[n - 1] ?? replies.at(-1) ?? statusResponse("PROCESSING"), {
    retry: RetryPolicy.none
  })

/** Converts request times of a fake client to seconds after `start`. */
export const toSeconds = (times: ReadonlyArray<number>): ReadonlyArray<number> =>
  times.map((time) => (time - start) / 1000)

/** Runs an effect at `start` without log lines. */
export const atStart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  silent(Effect.zipRight(TestClock.setTime(start), effect))
