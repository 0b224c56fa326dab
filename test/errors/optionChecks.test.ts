import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { Batch, Execution, File, ModelRouteClient, type ModelRouteError, WebhookEndpoint } from "effect-modelroute"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, runToEnd, silent } from "../utils/harness.js"
import { fakeUploadApi, pathsOf } from "../utils/uploads.js"

const id = Execution.ExecutionId.make("exec_1")
const endpointId = WebhookEndpoint.EndpointId.make("we_1")
const url = "https://example.com/hook"

type Misuse = (client: ModelRouteClient.Service) => Effect.Effect<unknown, ModelRouteError.ModelRouteError>

const misuses: ReadonlyArray<readonly [name: string, field: string, misuse: Misuse]> = [
  // @ts-expect-error The request is missing.
  ["create without a request", "request", ({ executions }) => executions.create()],
  // @ts-expect-error null is not a request.
  ["run with null as the request", "request", ({ executions }) => executions.run(null)],
  // @ts-expect-error null is not an object.
  ["create with null as the options", "options", ({ executions }) => executions.create(image, null)],
  // @ts-expect-error null is not an object.
  ["run with null as the options", "options", ({ executions }) => executions.run(image, null)],
  // @ts-expect-error null is not an object.
  ["await with null as the options", "options", ({ executions }) => executions.await(id, null)],
  // @ts-expect-error A number is not a model name.
  ["create with a number as the model", "model", ({ executions }) => executions.create({ model: 5, input: {} })],
  // @ts-expect-error A string is not an object.
  ["create with a string as extra", "extra", ({ executions }) => executions.create({ ...image, extra: "abc" })],
  // @ts-expect-error A number is not an object.
  ["create with a number as metadata", "metadata", ({ executions }) => executions.create({ ...image, metadata: 5 })],
  // @ts-expect-error The id is missing.
  ["await without an id", "id", ({ executions }) => executions.await()],
  // @ts-expect-error A number is not an id.
  ["await with a number as the id", "id", ({ executions }) => executions.await(5)],
  // @ts-expect-error A plain string is not an ExecutionId.
  ["watch with an empty id", "id", ({ executions }) => Stream.runDrain(executions.watch(""))],
  ...["exec_\ud800", ".", ".."].flatMap((text): typeof misuses => {
    const wrong = Execution.ExecutionId.make(text)
    const name = JSON.stringify(text)
    return [
      [`get of ${name}`, "id", ({ executions }) => executions.get(wrong)],
      [`cancel of ${name}`, "id", ({ executions }) => executions.cancel(wrong)],
      [`result of ${name}`, "id", ({ executions }) => executions.result(wrong)],
      [`await of ${name}`, "id", ({ executions }) => executions.await(wrong)],
      [`watch of ${name}`, "id", ({ executions }) => Stream.runDrain(executions.watch(wrong))]
    ]
  }),
  [
    "run with a negative bigint as the timeout",
    "timeout",
    ({ executions }) => executions.run(image, { timeout: -10n })
  ],
  [
    "run with a negative tuple as the timeout",
    "timeout",
    ({ executions }) => executions.run(image, { timeout: [-1, 0] })
  ],
  [
    "run with a tuple of NaN as the timeout",
    "timeout",
    ({ executions }) => executions.run(image, { timeout: [Number.NaN, Number.NaN] })
  ],
  // @ts-expect-error The request is missing.
  ["webhookEndpoints.create without a request", "request", (client) => client.webhookEndpoints.create()],
  // @ts-expect-error The request is missing.
  ["webhookEndpoints.update without changes", "request", (client) => client.webhookEndpoints.update(endpointId)],
  [
    "webhookEndpoints.create with a Map of headers",
    "headers",
    // @ts-expect-error A Map is not a plain object.
    (client) => client.webhookEndpoints.create({ url, headers: new Map([["authorization", "x"]]) })
  ],
  [
    "webhookEndpoints.create with a bigint in events",
    "events[0]",
    // @ts-expect-error A bigint is not an event type.
    (client) => client.webhookEndpoints.create({ url, events: [1n] })
  ],
  [
    "webhookEndpoints.create with a number as a header",
    "headers.retries",
    // @ts-expect-error A number is not a string.
    (client) => client.webhookEndpoints.create({ url, headers: { retries: 5 } })
  ],
  [
    "webhookEndpoints.create with a redacted number as a header",
    "headers.retries",
    // @ts-expect-error A redacted number is not a redacted string.
    (client) => client.webhookEndpoints.create({ url, headers: { retries: Redacted.make(5) } })
  ]
]

describe("client method with an invalid argument", () => {
  for (const [name, field, misuse] of misuses) {
    it.effect(`fails with InvalidRequest and sends no request: ${name}`, () =>
      Effect.gen(function* () {
        const fake = makeFakeClient(() => ({ status: 500 }))
        const error = failureOf(yield* Effect.exit(silent(misuse(yield* fake.client))))
        assert.strictEqual(error._tag, "InvalidRequest")
        assert.propertyVal(error, "field", field)
        assert.deepStrictEqual(fake.urls, [])
      })
    )
  }
})

describe("callback or option with a wrong type", () => {
  const accepted = { status: 202, json: { id: "exec_1", status: "PENDING" } }

  it.effect("causes InvalidRequest in executions.run if onAccepted returns a Promise", () =>
    Effect.gen(function* () {
      const fake = makeFakeClient(() => accepted)
      const { executions } = yield* fake.client
      // @ts-expect-error A Promise is not an Effect.
      const run = executions.run(image, { idempotencyKey: "key-1", onAccepted: () => Promise.resolve() })
      const error = failureOf(yield* Effect.exit(silent(run)))
      assert.deepInclude(error, {
        _tag: "InvalidRequest",
        field: "onAccepted",
        executionId: id,
        idempotencyKey: "key-1",
        attempts: 1
      })
      assert.include(error.message, "executions.run: onAccepted does not return an Effect")
      assert.lengthOf(fake.urls, 1)
    })
  )

  it.effect("causes InvalidRequest with the execution id in executions.run if onAccepted throws an exception", () =>
    Effect.gen(function* () {
      const fake = makeFakeClient(() => accepted)
      const { executions } = yield* fake.client
      const onAccepted = () => {
        throw new Error("broken")
      }
      const error = failureOf(
        yield* Effect.exit(silent(executions.run(image, { idempotencyKey: "key-1", onAccepted })))
      )
      assert.deepInclude(error, {
        _tag: "InvalidRequest",
        field: "onAccepted",
        executionId: id,
        idempotencyKey: "key-1",
        attempts: 1
      })
      assert.include(error.message, "executions.run: onAccepted threw an exception (broken)")
      assert.lengthOf(fake.urls, 1)
    })
  )

  for (const method of ["upload", "uploadProgress"] as const) {
    it.effect(`causes InvalidRequest in files.${method} if onProgress returns a Promise`, () =>
      Effect.gen(function* () {
        const fake = fakeUploadApi()
        const { files } = yield* fake.client
        // @ts-expect-error A Promise is not an Effect.
        const options: ModelRouteClient.UploadOptions = { onProgress: () => Promise.resolve() }
        const source = File.fromBytes(new Uint8Array(10))
        const upload =
          method === "upload" ? files.upload(source, options) : Stream.runDrain(files.uploadProgress(source, options))
        const error = failureOf(yield* runToEnd(silent(upload)))
        assert.deepInclude(error, { _tag: "InvalidRequest", field: "onProgress", fileId: File.FileId.make("file_1") })
        assert.deepStrictEqual(pathsOf(fake.urls).slice(0, 1), ["/v1/files/upload"])
        assert.notInclude(pathsOf(fake.urls), "/v1/files/confirm")
      })
    )
  }

  const items = ["a", "b"]
  const options = { id: "b", key: (item: string) => item, request: () => image }

  const failureOfBatch = (outcomes: ReturnType<typeof Batch.run<string>>) =>
    Effect.gen(function* () {
      const fake = makeFakeClient((url) =>
        url.endsWith("executions") ? accepted : { status: 200, json: { id: "exec_1", status: "COMPLETED", output: 1 } }
      )
      const client = yield* fake.client
      const exit = yield* Effect.exit(
        silent(Stream.runDrain(outcomes)).pipe(
          Effect.provideService(ModelRouteClient.ModelRouteClient, client),
          Effect.provide(Batch.layerJournalMemory)
        )
      )
      return { error: failureOf(exit), creates: fake.urls.filter((url) => url.endsWith("executions")).length }
    })

  it.effect("causes InvalidRequest in Batch.run if beforeSubmit returns a Promise", () =>
    Effect.gen(function* () {
      // @ts-expect-error A Promise is not an Effect.
      const { creates, error } = yield* failureOfBatch(Batch.run(items, { ...options, beforeSubmit: async () => true }))
      assert.deepInclude(error, { _tag: "InvalidRequest", field: "beforeSubmit" })
      assert.strictEqual(creates, 0)
    })
  )

  it.effect("causes InvalidRequest in Batch.run if items is a number or retryBudget is a string", () =>
    Effect.gen(function* () {
      // @ts-expect-error A number is not iterable.
      const wrongItems = yield* failureOfBatch(Batch.run(5, options))
      assert.deepInclude(wrongItems, { creates: 0 })
      assert.deepInclude(wrongItems.error, { _tag: "InvalidRequest", field: "items" })
      // @ts-expect-error A string is not a retry budget.
      const wrongBudget = yield* failureOfBatch(Batch.run(items, { ...options, retryBudget: "yes" }))
      assert.deepInclude(wrongBudget, { creates: 0 })
      assert.deepInclude(wrongBudget.error, { _tag: "InvalidRequest", field: "retryBudget" })
    })
  )
})

describe("create response with an execution id that is invalid in a URL path", () => {
  for (const unusable of ["exec_\ud800", ".", "..", ""]) {
    it.effect(`makes executions.run fail with UnexpectedResponse: id ${JSON.stringify(unusable)}`, () =>
      Effect.gen(function* () {
        const fake = makeFakeClient(() => ({ status: 202, json: { id: unusable, status: "PENDING" } }))
        const { executions } = yield* fake.client
        const error = failureOf(yield* Effect.exit(silent(executions.run(image, { idempotencyKey: "key-1" }))))
        assert.deepInclude(error, { _tag: "UnexpectedResponse", idempotencyKey: "key-1", status: 202 })
        assert.lengthOf(fake.urls, 1)
      })
    )
  }
})
