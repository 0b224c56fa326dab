/**
 * Pins the names and the JSON that an engine stores for a durable execution. A new version of this library must continue
 * the workflows of an earlier version. A different name or a stricter schema would submit an execution again, or would
 * end its workflow with a defect.
 */
import { MessageStorage } from "@effect/cluster"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Simulator } from "effect-modelroute/Simulator"
import { receiveEvents, stateOf, until, withWebhook } from "../utils/durable.js"
import { layer } from "../utils/durableMemoryCluster.js"
import { prompt, silent } from "../utils/harness.js"

const isSuspended = Effect.map(stateOf("order-7"), (state) => state === "Suspended")

const Named = Schema.Struct({ name: Schema.String })

const nameOf = (payload: unknown): string => (Schema.is(Named)(payload) ? ` ${payload.name}` : "")

/** Returns the names of the stored requests in the order of storage, with their payloads and latest results. */
const storedRequests = Effect.map(MessageStorage.MemoryDriver, ({ journal, requests }) =>
  journal.flatMap((envelope) => {
    if (envelope._tag !== "Request") return []
    const { address, payload, requestId, tag } = envelope
    const reply = requests.get(requestId)?.replies.at(-1)
    return [
      {
        name: `${address.entityType} ${tag}${nameOf(payload)}`,
        payload,
        result: reply?._tag === "WithExit" && reply.exit._tag === "Success" ? reply.exit.value : undefined
      }
    ]
  })
)

const entity = "Workflow/effect-modelroute/DurableExecution"

const succeeded = (value: unknown) => ({ _tag: "Success", value })

const completed = (value: unknown) => ({ _tag: "Complete", exit: succeeded(value) })

const payload = {
  id: "order-7",
  request: {
    model: "flux-1.1-pro",
    input: { prompt: "a lighthouse in a storm, oil on canvas" },
    webhookUrl: "https://backend.test/hooks",
    extra: {}
  }
}

describe("stored data of a durable execution", () => {
  it.live("has the same names and JSON as in earlier versions, and contains the prompt and the output once", () =>
    Effect.gen(function* () {
      const { topUp } = yield* Simulator
      yield* receiveEvents
      const workflowId = yield* DurableExecution.start("order-7", withWebhook)
      assert.strictEqual(workflowId, "6feee0efb0c3cff863423fa591994e3e")
      yield* until(isSuspended)
      yield* topUp("1.00")
      yield* DurableExecution.resume("order-7")
      yield* DurableExecution.await("order-7")

      const requests = yield* storedRequests
      assert.deepStrictEqual(
        requests.map(({ name }) => name),
        [
          `${entity} run`,
          `${entity} activity submittedAt/0`,
          `${entity} activity submit/0`,
          "Workflow/-/DurableClock run submit/0",
          `${entity} deferred resumed/0`,
          `${entity} activity submittedAt/1`,
          `${entity} activity submit/1`,
          "Workflow/-/DurableClock run poll/1",
          `${entity} deferred ended`
        ]
      )
      assert.deepStrictEqual(requests[0]?.payload, payload)

      const resultOf = (name: string) => requests.find((request) => request.name === `${entity} ${name}`)?.result
      const { executions } = yield* (yield* Simulator).ledger
      const [id] = executions.map(({ executionId }) => executionId)
      assert.deepStrictEqual(resultOf("activity submit/1"), completed({ _tag: "Accepted", id }))
      assert.deepStrictEqual(resultOf("deferred ended"), succeeded({ id, status: "COMPLETED" }))
      const rejection = JSON.stringify(resultOf("activity submit/0"))
      assert.include(rejection, '{"_tag":"Complete","exit":{"_tag":"Success","value":{"_tag":"Rejected","error":{')
      assert.include(rejection, '"_tag":"InsufficientBalance"')
      const stored = JSON.stringify(
        yield* Effect.map(MessageStorage.MemoryDriver, (driver) => [...driver.requests.values()])
      )
      assert.deepStrictEqual([stored.split(prompt).length, stored.split('"file_id"').length], [2, 2])
      assert.deepStrictEqual(
        executions.map(({ idempotencyKey, status }) => [idempotencyKey, status]),
        [["99185bc16459a0c68436b9489dfb63c7", "COMPLETED"]]
      )
    }).pipe(
      Effect.provide(
        layer({
          simulator: {
            balance: "0.00",
            models: { "flux-1.1-pro": { duration: "1 second", cost: "0.010", output: "image" } }
          },
          durable: { baseDelay: "1 hour", maxDelay: "1 hour" }
        })
      ),
      silent
    )
  )

  it("is decoded with the current schemas if an earlier version stored it", () => {
    assert.strictEqual(Schema.decodeUnknownSync(DurableExecution.Payload)(payload).request.input["prompt"], prompt)
    const result = Schema.decodeUnknownSync(DurableExecution.workflow.successSchema)({
      id: "exec_1",
      status: "COMPLETED",
      cost: "0.010",
      latency: 1000,
      extra: {},
      output: { images: [{ file_id: "file_1", format: "png", width: 1024, height: 768 }] }
    })
    assert.deepStrictEqual([...result.fileIds], ["file_1"])
    const error = Schema.decodeUnknownSync(DurableExecution.workflow.errorSchema)({
      _tag: "InsufficientBalance",
      message: "executions.create failed",
      code: "INSUFFICIENT_BALANCE",
      apiMessage: "The balance does not cover the hold for this execution",
      retryable: false,
      status: 402,
      requestId: "req_1",
      operation: "executions.create",
      attempts: 1,
      idempotencyKey: "99185bc16459a0c68436b9489dfb63c7"
    })
    assert.strictEqual(error._tag, "InsufficientBalance")
  })
})
