/** Tests that errors, log lines, spans and metrics contain no API key, prompt, signature or webhook secret. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  type Console,
  Effect,
  Exit,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Metric,
  Option,
  Redacted,
  Stream
} from "effect"
import { ApiKey, Execution, File, ModelRouteClient, ModelRouteError } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as classify from "../../src/internal/errors/classify.js"
import { privateTextsOf } from "../../src/internal/errors/confidential.js"
import { makeFakeClient } from "../utils/fake.js"
import { failureOf } from "../utils/exit.js"
import { apiKey, image, layer, prompt, runToEnd, silent } from "../utils/harness.js"
import { renderings } from "../utils/renderings.js"
import { responseData } from "../utils/responses.js"
import { recorder } from "../utils/tracing.js"

const signature = "5f3cf00dcafe0123456789abcdef5f3cf00dcafe0123456789abcdef5f3cf00d"
const whsec = "whsec_k8m2n4p6r8t0v2x4z6a8c0e2g4i6k8m2n4p6r8t0"
const link = `https://storage.modelroute.example/files/file_1?X-Amz-Expires=3600&X-Amz-Signature=${signature}`
const [fileName, fileText, headerToken] = ["canary-name.txt", "canary-text", "canary-header"]
/** Secrets that the API has created during the test. */
const created: Array<string> = []
const canaries = [
  fileName,
  fileText,
  headerToken,
  apiKey,
  prompt,
  prompt.slice(3, 30),
  signature,
  whsec,
  "canary-metadata-label"
]

const body = { model: "m", input: { prompt }, metadata: { label: "canary-metadata-label" } }

/** API message that quotes the request and all secrets. */
const leak = `You sent "${prompt}" (${JSON.stringify(body)}) with Bearer ${apiKey}; see ${link} or ${encodeURIComponent(link)}, secret ${whsec}`

const assertClean = (texts: ReadonlyArray<string>, name: string): void => {
  for (const text of texts) for (const canary of [...canaries, ...created]) assert.notInclude(text, canary, name)
}

const context: classify.ErrorContext = {
  operation: "executions.create",
  attempts: 2,
  idempotencyKey: "key-1",
  executionId: Execution.ExecutionId.make("exec_1"),
  isRepeatable: true,
  confidential: { privateTexts: privateTextsOf(body), secrets: [signature] }
}

const envelope = (code: string) =>
  JSON.stringify({
    error: { code, message: leak, request_id: leak, details: [{ field: leak, code: leak, message: leak }] }
  })

describe("ModelRouteError", () => {
  const codes = [...Object.keys(ModelRouteError.codes), "UNAUTHORIZED", `NEW ${leak}`]
  for (const code of codes) {
    it(`contains no secret if an API error with the code ${code.slice(0, 30)} quotes secrets`, () => {
      assertClean(renderings(classify.fromResponse(responseData(400, envelope(code)), context)), code)
    })
  }

  for (const [name, given] of [
    ["plain text", responseData(500, leak)],
    ["an HTML page", responseData(502, `<html>${leak.replaceAll('"', "&quot;")}</html>`, { "content-type": leak })],
    ["XML from storage", responseData(403, `<Error><SignatureProvided>${signature}</SignatureProvided></Error>`)]
  ] as const) {
    it(`contains no secret if an UnexpectedResponse contains ${name}`, () => {
      const error = classify.fromResponse(given, context)
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assertClean(renderings(error), name)
    })
  }

  it("contains no secret if the cause of a TransportError quotes secrets", () => {
    assertClean(renderings(classify.transportError("unknown", context, leak)), "transport")
  })

  const id = "exec_1"
  const failureOfRun = (execution: Record<string, unknown>) => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: { id, input: { prompt }, result: leak, metadata: body, ...execution }
    }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      const exit = yield* runToEnd(executions.run(body, { timeout: "5 seconds" }))
      return Exit.isFailure(exit) ? Option.getOrThrow(Cause.failureOption(exit.cause)) : undefined
    })
  }
  for (const [status, tag] of [
    ["PROCESSING", "AwaitTimeout"],
    ["CANCELLED", "ExecutionCancelled"],
    ["EXPIRED", "ExecutionExpired"],
    ["FAILED", "GenerationFailed"]
  ] as const) {
    it.effect(`contains no secret if executions.run fails with ${tag}`, () =>
      Effect.gen(function* () {
        const error = yield* failureOfRun({ status, error: { code: "GENERATION_FAILED", message: leak } })
        assert.strictEqual(error?._tag, tag)
        assertClean(renderings(error), tag)
        if (error?._tag === "AwaitTimeout") {
          // The renderings omit the output, but the program must be able to read the output.
          assert.strictEqual(error.execution?.result, leak)
          assert.include(JSON.stringify(error), '"status":"PROCESSING"')
        }
      })
    )
  }

  it("contains no secret if the error is InvalidRequest or FileTooLarge", () => {
    const invalid = new ModelRouteError.InvalidRequest({
      field: "apiKey",
      message: "ModelRouteClient.make: apiKey is empty."
    })
    const large = new ModelRouteError.FileTooLarge({ size: 2, limit: 1, message: "2 bytes are more than 1." })
    assertClean([...renderings(invalid), ...renderings(large)], "own")
  })
})

describe("telemetry", () => {
  it.effect("contains no secret in log lines, spans or metrics", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const keep = (out: unknown) => void lines.push(inspect(out, { depth: 10 }))
      const loggers = [
        Logger.map(Logger.stringLogger, keep),
        Logger.map(Logger.logfmtLogger, keep),
        Logger.map(Logger.jsonLogger, keep),
        Logger.map(Logger.structuredLogger, keep)
      ]
      const plain = Logger.make(({ annotations, message }) => {
        lines.push(inspect([message, HashMap.toEntries(annotations)], { depth: 10 }))
      })

      // These loggers print to the console, so the test replaces the console.
      const printers = [Logger.prettyLoggerDefault, Logger.withLeveledConsole(Logger.stringLogger)]
      const shown = yield* Effect.console
      const print = (...args: ReadonlyArray<unknown>) => void lines.push(inspect(args, { depth: 10 }))
      const printing = { log: print, error: print, warn: print, info: print, debug: print, group: print }
      const console: Console.Console = { ...shown, unsafe: { ...shown.unsafe, ...printing } }

      const { spans, tracer } = yield* recorder

      const said = Fault.apiError("MODEL_OVERLOADED", { message: leak, requestId: null })
      const faults = [
        said,
        Fault.dropAfter,
        Fault.raw({ status: 502, body: leak }),
        Fault.apiError("RATE_LIMITED", { resetIn: "9 seconds" })
      ]
      const program = Effect.gen(function* () {
        const client = yield* ModelRouteClient.ModelRouteClient
        const completed = yield* client.executions.run(body)
        const [file] = completed.fileIds
        if (file !== undefined) {
          yield* client.files.url(file)
          yield* Stream.runDrain(client.files.download(file))
        }
        // The following requests create the secrets in `created`.
        const url = "https://backend.test/hook"
        const registered = yield* client.webhookEndpoints.create({ url, headers: { "x-token": headerToken } })
        const rotated = yield* client.apiKeys.rotate(
          ApiKey.KeyId.make((yield* (yield* Simulator).apiKeys)[0]?.id ?? "")
        )
        created.push(Redacted.value(registered.secret), Redacted.value(rotated.newKey))
        yield* Effect.logInfo("registered", registered.secret, registered.headers, rotated)
        yield* client.webhookEndpoints.list
        yield* client.files.upload(File.fromBytes(new TextEncoder().encode(fileText), { name: fileName }), {
          legacy: { contentType: "text/plain" }
        })
        yield* client.files.upload(File.fromStream(Stream.make(new Uint8Array(2)), { size: 1, name: fileName })).pipe(
          Effect.tapError((error) => Effect.logError("failed", error)),
          Effect.ignore
        )
        yield* client.files.url(File.FileId.make("file_unknown")).pipe(
          Effect.tapError((error) => Effect.logError("failed", error)),
          Effect.ignore
        )
        yield* client.executions.create({ ...body, model: "flux-1.1-pro", input: { prompt, width: 1 } }).pipe(
          Effect.tapErrorCause((cause) => Effect.logError("failed", cause)),
          Effect.ignore
        )
      }).pipe(Effect.provide(layer({ simulator: { faults } })))

      const exit = yield* runToEnd(program).pipe(
        Effect.withTracer(tracer),
        Effect.provide([plain, ...loggers, ...printers].map(Logger.add).reduce((all, one) => Layer.merge(all, one))),
        Effect.withConsole(console),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      assert.isTrue(Exit.isSuccess(exit), inspect(exit, { depth: 5 }))

      assert.isAbove(lines.length, 20)
      assertClean(lines, "log")
      assert.lengthOf(created, 2)

      assert.includeMembers(
        spans.map(({ name }) => name),
        [
          "modelroute.executions.run",
          "modelroute.files.url",
          "modelroute.files.download",
          "modelroute.webhookEndpoints.create",
          "modelroute.webhookEndpoints.list",
          "modelroute.apiKeys.rotate",
          "modelroute.files.upload",
          "modelroute.executions.create"
        ]
      )
      assertClean(
        spans.map((span) =>
          inspect([span.name, [...span.attributes], "events" in span ? span.events : [], span.status], { depth: 10 })
        ),
        "span"
      )

      const metrics = yield* Metric.snapshot
      assert.isTrue(metrics.some(({ metricKey }) => metricKey.name === "modelroute_requests_total"))
      assertClean(
        metrics.map((pair) => inspect(pair, { depth: 10 })),
        "metric"
      )
    })
  )
})

describe("error message with text from the server", () => {
  const render = (error: ModelRouteError.ModelRouteError) =>
    [error.message, String(error), JSON.stringify(error)].join()

  it.effect("contains no API key if the content type of the response quotes the key", () =>
    Effect.gen(function* () {
      const { executions } = yield* makeFakeClient(() => ({
        status: 400,
        text: "no",
        headers: { "content-type": `text/${apiKey}` }
      })).client
      const error = failureOf(yield* Effect.exit(silent(executions.create(image))))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.notInclude(render(error), apiKey)
    })
  )

  const statuses = ["A_SECRET_PROMPT", "A secret prompt\nin two lines", "X".repeat(5_000_000)]
  for (const status of statuses) {
    it.effect(`does not quote an undocumented execution status: ${JSON.stringify(status.slice(0, 20))}`, () =>
      Effect.gen(function* () {
        const { executions } = yield* makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status } })).client
        const id = Execution.ExecutionId.make("exec_1")
        const errors: ReadonlyArray<ModelRouteError.ModelRouteError> = [
          failureOf(yield* runToEnd(silent(executions.await(id, { timeout: "1 second" })))),
          failureOf(yield* Effect.exit(silent(executions.result(id))))
        ]
        for (const { message } of errors) {
          assert.notInclude(message, status)
          assert.isBelow(message.length, 300)
          assert.notInclude(message, "\n")
        }
      })
    )
  }
})
