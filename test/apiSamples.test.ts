/** Tests that the client sends the requests and decodes the responses of the API documentation. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Redacted, Schema, Stream, TestClock } from "effect"
import {
  ApiKey,
  Execution,
  File,
  type ModelRouteClient,
  ModelRouteError,
  Webhook,
  WebhookEndpoint
} from "effect-modelroute"
import * as samples from "./utils/apiSamples.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient, type FakeResponse } from "./utils/fake.js"
import { apiKey, runToEnd, silent, start } from "./utils/harness.js"

const executionId = Execution.ExecutionId.make(samples.createdExecution.json.id)
const fileId = File.FileId.make(samples.uploadLink.json.file_id)
const endpointId = WebhookEndpoint.EndpointId.make(samples.createdEndpoint.json.id)
const endpointUrl = samples.createdEndpoint.json.url
const { events } = samples.createdEndpoint.json

/** Returns a value as plain data, so that a comparison includes redacted texts, times and durations. */
const toPlain = (value: unknown): unknown => {
  if (Redacted.isRedacted(value)) return { redacted: Redacted.value(value) }
  if (DateTime.isDateTime(value)) return DateTime.formatIso(value)
  if (Duration.isDuration(value)) return Duration.toMillis(value)
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toPlain(each)]))
}

/** Calls a method at `start`. Returns its exit and each request as `[method, path, body]`. */
const callMethod = <A, E>(
  replies: ReadonlyArray<FakeResponse>,
  use: (client: ModelRouteClient.Service) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { bodies, client, headers, methods, urls } = makeFakeClient((_, n) => replies[n - 1] ?? { status: 500 })
    const exit = yield* runToEnd(silent(use(yield* client)))
    const requests: ReadonlyArray<ReadonlyArray<string | undefined>> = urls.map((url, i) => [
      methods[i],
      url.replace("https://api.modelroute.ai", ""),
      bodies[i]
    ])
    return { exit, headers, requests }
  })

const createExecution = [
  "POST",
  "/v1/executions",
  '{"model":"flux-1.1-pro","input":{"prompt":"A mountain lake at sunset"}}'
]
const createRequest = { model: "flux-1.1-pro", input: { prompt: "A mountain lake at sunset" } }

const pending = {
  id: executionId,
  status: "PENDING",
  model: "flux-1.1-pro",
  holdAmount: "0.048",
  estimatedCost: "0.040",
  expiresAt: "2026-03-20T10:35:00.000Z",
  createdAt: "2026-03-20T10:30:00.000Z",
  extra: {}
}
const { createdAt: _, ...pendingWithoutCreatedAt } = pending

const link = {
  url: { redacted: samples.downloadLink.json.url },
  expiresAt: "2026-03-20T11:30:00.000Z",
  contentType: "image/png",
  size: 1048576
}

interface Case {
  /** Operation and sample, for the title of the test. */
  readonly title: string
  readonly replies: ReadonlyArray<FakeResponse>
  readonly use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, unknown>
  readonly requests: ReadonlyArray<ReadonlyArray<string>>
  readonly type?: new (...args: never) => unknown
  readonly value: unknown
}

const executionCases: ReadonlyArray<Case> = [
  {
    title: "executions.create returns the execution of executions/create",
    replies: [{ status: 202, json: samples.createdExecution.json }],
    use: ({ executions }) => executions.create(createRequest),
    requests: [createExecution],
    type: Execution.Execution,
    value: pending
  },
  {
    title: "executions.create returns the execution of quickstart, which has no created_at",
    replies: [{ status: 202, json: samples.quickstartExecution.json }],
    use: ({ executions }) => executions.create(createRequest),
    requests: [createExecution],
    type: Execution.Execution,
    value: pendingWithoutCreatedAt
  },
  {
    title: "executions.create sends the file, the webhook URL and the metadata of executions/create and llms.txt",
    replies: [{ status: 202, json: samples.createdExecution.json }],
    use: ({ executions }) =>
      executions.create({
        model: "seedance-video",
        input: { prompt: "Slow zoom", source_image: fileId, duration: 5 },
        webhookUrl: endpointUrl,
        metadata: { order: "7" }
      }),
    requests: [
      [
        "POST",
        "/v1/executions",
        `{"model":"seedance-video","input":{"prompt":"Slow zoom","source_image":"${fileId}","duration":5},` +
          `"webhook_url":"${endpointUrl}","metadata":{"order":"7"}}`
      ]
    ],
    type: Execution.Execution,
    value: pending
  },
  {
    title: "executions.get returns the execution of files/downloading",
    replies: [{ status: 200, json: samples.polledExecution.json }],
    use: ({ executions }) => executions.get(executionId),
    requests: [["GET", `/v1/executions/${executionId}`, ""]],
    type: Execution.Execution,
    value: {
      id: executionId,
      status: "COMPLETED",
      result: { file_id: fileId, content_type: "image/png", width: 1024, height: 768 },
      extra: {}
    }
  },
  {
    title: "executions.get returns the code and the message of a FAILED execution, as in executions/polling",
    replies: [
      { status: 200, json: { id: executionId, status: "FAILED", error: { code: "GENERATION_FAILED", message: "no" } } }
    ],
    use: ({ executions }) => executions.get(executionId),
    requests: [["GET", `/v1/executions/${executionId}`, ""]],
    type: Execution.Execution,
    value: { id: executionId, status: "FAILED", error: { code: "GENERATION_FAILED", message: "no" }, extra: {} }
  },
  {
    title: "executions.result returns the result of quickstart",
    replies: [{ status: 200, json: samples.executionResult.json }],
    use: ({ executions }) => executions.result(executionId),
    requests: [["GET", `/v1/executions/${executionId}/result`, ""]],
    type: Execution.Completed,
    value: {
      id: executionId,
      status: "COMPLETED",
      output: { images: [{ file_id: fileId, format: "png", width: 1024, height: 768 }] },
      cost: "0.040",
      latency: 8420,
      extra: {}
    }
  },
  {
    title: "executions.run returns the output of files/downloading without a request for the result",
    replies: [
      { status: 202, json: samples.createdExecution.json },
      { status: 200, json: samples.polledExecution.json }
    ],
    use: ({ executions }) => Effect.map(executions.run(createRequest), ({ fileIds }) => fileIds),
    requests: [createExecution, ["GET", `/v1/executions/${executionId}`, ""]],
    value: [fileId]
  },
  {
    title: "executions.cancel reads the execution again after an empty response, as llms.txt shows no body",
    replies: [{ status: 200 }, { status: 200, json: { id: executionId, status: "CANCELLED" } }],
    use: ({ executions }) => executions.cancel(executionId),
    requests: [
      ["POST", `/v1/executions/${executionId}/cancel`, ""],
      ["GET", `/v1/executions/${executionId}`, ""]
    ],
    type: Execution.Execution,
    value: { id: executionId, status: "CANCELLED", extra: {} }
  }
]

const source = File.fromBytes(new TextEncoder().encode("0123456789"), { name: "input.png" })
const uploadReply = { status: 200, json: samples.uploadLink.json }
const put = ["PUT", samples.uploadLink.json.upload_url, "0123456789"]

const fileCases: ReadonlyArray<Case> = [
  {
    title: "files.upload sends the three requests of the newer files/uploading",
    replies: [uploadReply, { status: 200 }, { status: 200 }],
    use: ({ files }) => files.upload(source, { purpose: "INPUT", region: "EU", ttlDays: 30 }),
    requests: [
      ["POST", "/v1/files/upload", '{"purpose":"INPUT","region":"EU","ttl_days":30}'],
      put,
      ["POST", "/v1/files/confirm", `{"file_id":"${fileId}"}`]
    ],
    value: fileId
  },
  {
    title: "files.upload sends the two requests of the older files/uploading",
    replies: [uploadReply, { status: 200 }],
    use: ({ files }) => files.upload(source, { legacy: { contentType: "image/png" } }),
    requests: [
      ["POST", "/v1/files/upload", '{"filename":"input.png","content_type":"image/png","size_bytes":10}'],
      put
    ],
    value: fileId
  },
  {
    title: "files.url returns the download link of files/downloading",
    replies: [{ status: 200, json: samples.downloadLink.json }],
    use: ({ files }) => files.url(fileId),
    requests: [["GET", `/v1/files/${fileId}/url`, ""]],
    type: File.DownloadLink,
    value: link
  },
  {
    title: "files.download follows the download link of files/downloading",
    replies: [
      { status: 200, json: samples.downloadLink.json },
      { status: 200, bytes: new Uint8Array(1_048_576) }
    ],
    use: ({ files }) => Stream.runFold(files.download(fileId), 0, (size, bytes) => size + bytes.length),
    requests: [
      ["GET", `/v1/files/${fileId}/download`, ""],
      ["GET", samples.downloadLink.json.url, ""]
    ],
    value: 1_048_576
  },
  {
    title: "files.download returns the bytes of the API, as in the curl command of files/downloading",
    replies: [{ status: 200, text: "png", headers: { "content-type": "image/png" } }],
    use: ({ files }) => Stream.mkString(Stream.decodeText(files.download(fileId))),
    requests: [["GET", `/v1/files/${fileId}/download`, ""]],
    value: "png"
  }
]

const created = {
  id: endpointId,
  url: endpointUrl,
  description: "Production webhook endpoint",
  events,
  secret: { redacted: samples.createdEndpoint.json.secret },
  isActive: true,
  createdAt: "2026-03-20T10:00:00.000Z",
  extra: {}
}
const { secret: _secret, ...updated } = created
const { secret: _sent, ...updatedJson } = samples.createdEndpoint.json

const keyCases: ReadonlyArray<Case> = [
  {
    title: "webhookEndpoints.create returns the endpoint of webhooks/setup",
    replies: [{ status: 201, json: samples.createdEndpoint.json }],
    use: ({ webhookEndpoints }) =>
      webhookEndpoints.create({ url: endpointUrl, description: "Production webhook endpoint", events }),
    requests: [
      [
        "POST",
        "/v1/webhooks/endpoints",
        `{"url":"${endpointUrl}","description":"Production webhook endpoint","events":${JSON.stringify(events)}}`
      ]
    ],
    type: WebhookEndpoint.CreatedEndpoint,
    value: created
  },
  {
    title: "webhookEndpoints.create returns the endpoint of executions/webhooks",
    replies: [{ status: 200, json: samples.createdEndpointWithStatus.json }],
    use: ({ webhookEndpoints }) => webhookEndpoints.create({ url: endpointUrl, events }),
    requests: [["POST", "/v1/webhooks/endpoints", `{"url":"${endpointUrl}","events":${JSON.stringify(events)}}`]],
    type: WebhookEndpoint.CreatedEndpoint,
    value: {
      id: "wh_abc123",
      url: endpointUrl,
      secret: { redacted: "whsec_a1b2c3d4e5f6..." },
      events,
      isActive: true,
      extra: {}
    }
  },
  {
    title: "webhookEndpoints.list returns the endpoints of webhooks/setup",
    replies: [{ status: 200, json: samples.listedEndpoints.json }],
    use: ({ webhookEndpoints }) => webhookEndpoints.list,
    requests: [["GET", "/v1/webhooks/endpoints", ""]],
    value: [
      {
        id: endpointId,
        url: endpointUrl,
        events,
        isActive: true,
        failureCount: 0,
        lastSuccess: "2026-03-20T10:15:00.000Z",
        extra: {}
      }
    ]
  },
  {
    title: "webhookEndpoints.update sends the changes of webhooks/setup",
    replies: [{ status: 200, json: updatedJson }],
    use: ({ webhookEndpoints }) => webhookEndpoints.update(endpointId, { events, description: "Updated" }),
    requests: [
      ["PATCH", `/v1/webhooks/endpoints/${endpointId}`, `{"events":${JSON.stringify(events)},"description":"Updated"}`]
    ],
    type: WebhookEndpoint.Endpoint,
    value: updated
  },
  {
    title: "webhookEndpoints.remove sends the request of webhooks/setup",
    replies: [{ status: 204 }],
    use: ({ webhookEndpoints }) => webhookEndpoints.remove(endpointId),
    requests: [["DELETE", `/v1/webhooks/endpoints/${endpointId}`, ""]],
    value: undefined
  },
  {
    title: "webhookEndpoints.test sends the request of llms.txt",
    replies: [{ status: 200 }],
    use: ({ webhookEndpoints }) => webhookEndpoints.test(endpointId),
    requests: [["POST", `/v1/webhooks/endpoints/${endpointId}/test`, ""]],
    value: undefined
  },
  {
    title: "apiKeys.rotate returns the key of authentication",
    replies: [{ status: 200, json: samples.rotatedKey.json }],
    use: ({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make(samples.rotatedKey.json.id)),
    requests: [["POST", "/v1/api-keys/key_a1b2c3d4/rotate", ""]],
    type: ApiKey.RotatedKey,
    value: {
      id: "key_a1b2c3d4",
      newKey: { redacted: "sk_new_key_value_here..._crc32hex" },
      previousKeyValidUntil: "2026-03-20T11:00:00.000Z"
    }
  }
]

describe("API documentation", () => {
  for (const { replies, requests, title, type, use, value } of [...executionCases, ...fileCases, ...keyCases]) {
    it.effect(title, () =>
      Effect.gen(function* () {
        const called = yield* callMethod(replies, use)
        const returned = valueOf(called.exit)
        assert.deepStrictEqual(called.requests, requests)
        assert.deepStrictEqual(toPlain(returned), value)
        if (type !== undefined) assert.instanceOf(returned, type)
      })
    )
  }
})

describe("API documentation of headers", () => {
  it.effect("executions.create sends the API key, the media type and the idempotency key", () =>
    Effect.gen(function* () {
      for (const idempotencyKey of samples.idempotencyKeys) {
        const { headers } = yield* callMethod(
          [{ status: 202, json: samples.createdExecution.json }],
          ({ executions }) => executions.create(createRequest, { idempotencyKey })
        )
        assert.deepStrictEqual(headers, [
          {
            authorization: `Bearer ${apiKey}`,
            "content-type": "application/json",
            "idempotency-key": idempotencyKey,
            "content-length": String(createExecution[2]?.length)
          }
        ])
      }
    })
  )

  it.effect("client.rateLimit returns the limit of executions/polling", () =>
    Effect.gen(function* () {
      const getAndRead = ({ executions, rateLimit }: ModelRouteClient.Service) =>
        Effect.zipRight(executions.get(executionId), rateLimit)
      const polled = { status: 200, json: samples.polledExecution.json, headers: samples.rateLimitHeaders }
      // The reset of the sample is in the past, so the end of the window is unknown.
      const past = valueOf((yield* callMethod([polled], getAndRead)).exit)
      assert.deepStrictEqual([past.limit, past.remaining, past.resetAt], [60, 57, undefined])
      const reset = start / 1000 + 60
      const headers = { ...samples.rateLimitHeaders, "x-ratelimit-reset": String(reset) }
      const future = valueOf((yield* callMethod([{ ...polled, headers }], getAndRead)).exit)
      assert.deepStrictEqual([future.limit, future.remaining], [60, 57])
      assert.strictEqual(future.resetAt && DateTime.toEpochMillis(future.resetAt), reset * 1000)
    })
  )

  it.effect("a 429 is retried after the Retry-After of executions/polling, in seconds", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* callMethod(
        [
          { status: 429, json: { error: { code: "RATE_LIMITED" } }, headers: { "retry-after": "30" } },
          { status: 200, json: samples.polledExecution.json }
        ],
        ({ executions }) => Effect.timed(executions.get(executionId))
      )
      assert.strictEqual(Duration.toSeconds(valueOf(exit)[0]), 30)
      assert.lengthOf(requests, 2)
    })
  )
})

const execution = { id: executionId, status: "COMPLETED", model: "flux-1.1-pro", cost: "0.040", extra: {} }

describe("API documentation of webhooks", () => {
  const { body, secret, signature, timestamp } = samples.signedDelivery
  const eventOf = (json: unknown) =>
    Effect.gen(function* () {
      const delivery = { body: JSON.stringify(json), secret: Redacted.make(secret) }
      const headers = { ...samples.deliveryHeaders, ...(yield* Webhook.sign(delivery)) }
      return yield* Webhook.verify({ body: delivery.body, headers }, { secrets: delivery.secret })
    })

  it.effect("Webhook.verify returns the event of webhooks/overview", () =>
    Effect.gen(function* () {
      const event = yield* eventOf(samples.completedEvent.json)
      assert.instanceOf(event, Webhook.Event)
      assert.instanceOf(event.execution, Execution.Execution)
      const { data } = samples.completedEvent.json
      assert.deepStrictEqual(toPlain(event), {
        id: "evt_c3d4e5f6-7890-1234-abcd-ef1234567890",
        type: "execution.completed",
        timestamp: "2026-03-20T10:32:15.000Z",
        version: "1.0",
        organizationId: "org_a1b2c3d4",
        executionId: data.id,
        execution: {
          id: data.id,
          status: "COMPLETED",
          model: "flux-1.1-pro",
          cost: "0.040",
          latency: 8420,
          result: data.result,
          createdAt: "2026-03-20T10:30:00.000Z",
          completedAt: "2026-03-20T10:32:15.000Z",
          extra: {}
        },
        data,
        extra: {}
      })
    })
  )

  it.effect("Webhook.verify returns the event of executions/webhooks", () =>
    Effect.gen(function* () {
      const event = yield* eventOf(samples.completedEventWithType.json)
      assert.deepStrictEqual(toPlain(event), {
        id: "evt_abc123",
        type: "execution.completed",
        timestamp: "2026-03-20T10:30:08.000Z",
        executionId,
        execution,
        data: samples.completedEventWithType.json.data,
        extra: {}
      })
    })
  )

  it.effect("Webhook.verify accepts the test vector of webhooks/verification, which Webhook.sign returns", () =>
    Effect.gen(function* () {
      const headers = { "x-signature": signature, "x-signature-timestamp": String(timestamp) }
      const secrets = Redacted.make(secret)
      for (const bytes of [body, new TextEncoder().encode(body)]) {
        assert.deepStrictEqual(yield* Webhook.sign({ body: bytes, secret: secrets, timestamp }), headers)
        yield* TestClock.setTime(timestamp * 1000 + 999)
        assert.deepStrictEqual(yield* Webhook.sign({ body: bytes, secret: secrets }), headers)
        const event = yield* Webhook.verify({ body: bytes, headers }, { secrets })
        assert.deepStrictEqual(toPlain(event), { id: "evt_abc123", type: "execution.completed", extra: {} })
      }
    })
  )
})

describe("API documentation of errors", () => {
  for (const [page, { json }, requestId] of [
    ["errors/overview", samples.invalidInput, "req_a1b2c3d4"],
    ["errors/error-codes, which has no request_id", samples.outOfRangeInput, undefined]
  ] as const) {
    it.effect(`executions.create fails with the InputValidationError of ${page}`, () =>
      Effect.gen(function* () {
        const { exit, requests } = yield* callMethod([{ status: 400, json }], ({ executions }) =>
          executions.create(createRequest)
        )
        const error = failureOf(exit)
        assert.deepStrictEqual(requests, [createExecution])
        assert.instanceOf(error, ModelRouteError.InputValidationError)
        const { message, ...fields } = Schema.encodeSync(ModelRouteError.InputValidationError)(error)
        assert.include(message, json.error.details[0]?.message ?? "the sample has a detail")
        assert.deepStrictEqual(fields, {
          _tag: "InputValidationError",
          code: "INPUT_VALIDATION_ERROR",
          apiMessage: "Invalid input parameters",
          retryable: false,
          status: 400,
          ...(requestId === undefined ? {} : { requestId }),
          operation: "executions.create",
          attempts: 1,
          idempotencyKey: "key-1",
          details: json.error.details
        })
      })
    )
  }

  for (const [code, status, retryable] of samples.errorCodes) {
    it.effect(`executions.get fails with the error of ${code} as in the table of errors/error-codes`, () =>
      Effect.gen(function* () {
        const reply = { status, json: { error: { code, message: "no" } } }
        const { exit, requests } = yield* callMethod([reply, reply, reply, reply, reply, reply], ({ executions }) =>
          executions.get(executionId)
        )
        const error = failureOf(exit)
        if (!("code" in error)) return assert.fail(`${error._tag} has no code`)
        // The tag is the code in PascalCase.
        const tag = code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
        assert.deepStrictEqual(
          [error._tag, error.code, error.status, error.retryable, error.apiMessage, requests.length > 1],
          [tag, code, status, retryable, "no", retryable]
        )
      })
    )
  }
})
