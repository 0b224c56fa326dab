/** Tests responses and headers with numbers that are infinite, negative, huge or invalid. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Schedule, Stream, TestClock } from "effect"
import { ApiKey, Execution, File, RetryPolicy } from "effect-modelroute"
import * as limitHeaders from "../../src/internal/retry/rateLimitHeaders.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { httpDate, image, runToEnd, silent, start } from "../utils/harness.js"

const id = Execution.ExecutionId.make("exec_1")
const fileId = File.FileId.make("file_1")

/** Unusual numbers and other values in JSON. `JSON.parse` parses `1e400` as `Infinity`. */
const odd = ["1e400", "-1e400", "-1", "1.5", "1e300", '"NaN"', '"12"', "true", "[]", "{}", "null"] as const

/** Invalid and extreme date values in JSON. */
const oddDates = [
  '"0001-01-01T00:00:00Z"',
  '"275760-09-13T00:00:01Z"',
  '"+999999-01-01T00:00:00Z"',
  '"soon"',
  "1e400",
  "-1",
  "null"
] as const

/** Returns a function that sends `value` in a response and reads the decoded field with `read`. */
const fieldOf = <A>(
  body: (value: string) => string,
  read: (client: Effect.Effect.Success<ReturnType<typeof makeFakeClient>["client"]>) => Effect.Effect<A, unknown>
) => {
  return (value: string) =>
    Effect.flatMap(
      makeFakeClient(() => ({ status: 200, text: body(value), headers: { "content-type": "application/json" } }))
        .client,
      read
    )
}

const execution = (name: string) => (value: string) => `{"id":"exec_1","status":"PROCESSING","${name}":${value}}`
const millisOf = (date: { readonly epochMillis: number } | undefined) => date?.epochMillis

interface Field {
  readonly name: string
  readonly read: (value: string) => Effect.Effect<unknown, unknown>
  /** Decoded values by JSON text. All other values are decoded as absent. */
  readonly decodable: Readonly<Record<string, unknown>>
}

const numbers: ReadonlyArray<Field> = [
  {
    name: "latency_ms of an execution",
    read: fieldOf(execution("latency_ms"), ({ executions }) =>
      Effect.map(executions.get(id), ({ latency }) => latency && Duration.toMillis(latency))
    ),
    decodable: { "1.5": 1.5 }
  },
  ...(["cost", "holdAmount", "estimatedCost"] as const).map((field): Field => {
    const name = { cost: "cost", holdAmount: "hold_amount", estimatedCost: "estimated_cost" }[field]
    return {
      name: `${name} of an execution`,
      read: fieldOf(execution(name), ({ executions }) => Effect.map(executions.get(id), (found) => found[field])),
      decodable: { "1.5": "1.5", '"12"': "12" }
    }
  }),
  {
    name: "size_bytes of a download link",
    read: fieldOf(
      (value) => `{"url":"https://storage.example/x","size_bytes":${value}}`,
      ({ files }) => Effect.map(files.url(fileId), ({ size }) => size)
    ),
    decodable: {}
  },
  {
    name: "failure_count of a webhook endpoint",
    read: fieldOf(
      (value) => `[{"id":"wh_1","failure_count":${value}}]`,
      ({ webhookEndpoints }) => Effect.map(webhookEndpoints.list, ([endpoint]) => endpoint?.failureCount)
    ),
    decodable: {}
  }
]

const dates: ReadonlyArray<Field> = [
  ...(["createdAt", "completedAt", "expiresAt"] as const).map((field): Field => {
    const name = { createdAt: "created_at", completedAt: "completed_at", expiresAt: "expires_at" }[field]
    return {
      name: `${name} of an execution`,
      read: fieldOf(execution(name), ({ executions }) =>
        Effect.map(executions.get(id), (found) => millisOf(found[field]))
      ),
      decodable: { '"0001-01-01T00:00:00Z"': -62_135_596_800_000 }
    }
  }),
  {
    name: "expires_at of a download link",
    read: fieldOf(
      (value) => `{"url":"https://storage.example/x","expires_at":${value}}`,
      ({ files }) => Effect.map(files.url(fileId), ({ expiresAt }) => millisOf(expiresAt))
    ),
    decodable: { '"0001-01-01T00:00:00Z"': -62_135_596_800_000 }
  },
  {
    name: "previous_key_valid_until of a rotated key",
    read: fieldOf(
      (value) => `{"id":"key_1","new_key":"sk_new","previous_key_valid_until":${value}}`,
      ({ apiKeys }) =>
        Effect.map(apiKeys.rotate(ApiKey.KeyId.make("key_1")), ({ previousKeyValidUntil }) =>
          millisOf(previousKeyValidUntil)
        )
    ),
    decodable: { '"0001-01-01T00:00:00Z"': -62_135_596_800_000 }
  },
  {
    name: "last_success of a webhook endpoint",
    read: fieldOf(
      (value) => `[{"id":"wh_1","last_success":${value}}]`,
      ({ webhookEndpoints }) => Effect.map(webhookEndpoints.list, ([endpoint]) => millisOf(endpoint?.lastSuccess))
    ),
    decodable: { '"0001-01-01T00:00:00Z"': -62_135_596_800_000 }
  }
]

for (const [fields, values] of [
  [numbers, odd],
  [dates, oddDates]
] as const) {
  for (const { name, read, decodable } of fields) {
    describe(`response field ${name}`, () => {
      for (const value of values) {
        const expected = decodable[value]
        it.effect(`is decoded as ${expected === undefined ? "absent" : expected} if the value is ${value}`, () =>
          Effect.map(read(value), (found) => assert.strictEqual(found, expected))
        )
      }
    })
  }
}

/** Invalid and extreme header values. */
const oddHeaders = ["NaN", "-1", "Infinity", "1e400", "0x10", "", " ", "9".repeat(400), "1.5", "soon", "1,,2"] as const

describe("rate limit and content headers", { concurrent: true }, () => {
  const day = 86_400_000
  /** Maximum delay of 100 years in milliseconds. */
  const maxDelayMillis = 100 * 365 * day
  const expected: Readonly<
    Record<string, readonly [limit?: number, remaining?: number, reset?: number, retry?: number]>
  > = {
    ["9".repeat(400)]: [1e15, 1e15, 1e15, start + maxDelayMillis],
    "1.5": [1, 1, start + 1500, start + 1500],
    "1,,2": [1, 1, start + 2000, start + 2000]
  }
  for (const value of oddHeaders) {
    it(`are ${expected[value] === undefined ? "ignored" : "parsed"} if the value is ${JSON.stringify(value.slice(0, 10))}`, () => {
      const { limit, remaining, reset, retryAfter } = limitHeaders.parseRateLimitHeaders(
        {
          "x-ratelimit-limit": value,
          "x-ratelimit-remaining": value,
          "x-ratelimit-reset": value,
          "retry-after": value
        },
        start
      )
      const [a, b, c, d] = expected[value] ?? []
      assert.deepStrictEqual([limit, remaining, reset?.at, retryAfter?.at], [a, b, c, d])
    })
  }

  for (const value of oddHeaders) {
    it.effect(`do not interrupt a download if Content-Length is ${JSON.stringify(value.slice(0, 10))}`, () => {
      const { client } = makeFakeClient(() => ({
        status: 200,
        headers: {
          "content-type": "image/png",
          "content-length": value,
          "content-range": `bytes ${value}-${value}/${value}`
        },
        bytes: new Uint8Array(3)
      }))
      return Effect.gen(function* () {
        const chunks = valueOf(yield* runToEnd(silent(Stream.runCollect((yield* client).files.download(fileId)))))
        assert.strictEqual(Chunk.join(Chunk.map(chunks, String), ","), "0,0,0")
      })
    })
  }

  it.effect("do not cause an unbounded wait after a 429 if their values are invalid", () =>
    Effect.gen(function* () {
      for (const value of oddHeaders) {
        const { at, client } = makeFakeClient(
          (_, n) =>
            n === 1
              ? {
                  status: 429,
                  headers: {
                    date: value,
                    "retry-after": value,
                    "x-ratelimit-limit": value,
                    "x-ratelimit-remaining": value,
                    "x-ratelimit-reset": value
                  }
                }
              : { status: 200, json: { id: "exec_1", status: "PROCESSING" } },
          { retry: RetryPolicy.rateLimit() }
        )
        const from = yield* TestClock.currentTimeMillis
        const exit = yield* runToEnd(silent((yield* client).executions.get(id)))
        const waited = (at.at(-1) ?? 0) - from
        // A wait of 100 years exceeds `maxWait` of the policy.
        if (value === "9".repeat(400)) assert.strictEqual(failureOf(exit)._tag, "RateLimited")
        else assert.strictEqual(valueOf(exit).status, "PROCESSING")
        assert.isAtMost(waited, 2000, value)
      }
    })
  )
})

describe("invalid latency_ms", { concurrent: true }, () => {
  for (const latency of ["1e400", "-1e400", "-5", "1e300", '"NaN"']) {
    it.effect(`of ${latency} does not remove the delay between polls`, () => {
      const scarce = (at: number) => ({
        date: httpDate(at),
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "10",
        "x-ratelimit-reset": String((at + 60_000) / 1000),
        "content-type": "application/json"
      })
      const fake = makeFakeClient(
        (url, n) => {
          const status = url.endsWith("executions") ? "PENDING" : n < 6 || n > 8 ? "COMPLETED" : "PROCESSING"
          const text = `{"id":"exec_1","status":"${status}","model":"flux-1.1-pro","output":{},"latency_ms":${latency}}`
          return { status: 200, text, headers: scarce(fake.at.at(-1) ?? 0) }
        },
        { pollSchedule: Schedule.spaced("10 seconds") }
      )
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const { executions } = yield* fake.client
        // The client estimates the end of an execution from earlier executions of the model.
        for (let n = 0; n < 3; n++) valueOf(yield* runToEnd(silent(executions.run(image))))
        const polls = fake.urls.flatMap((url, i) =>
          url.endsWith("exec_1") ? [((fake.at[i] ?? 0) - start) / 1000] : []
        )
        assert.deepStrictEqual(polls, [20, 40, 60, 80, 100, 120])
      })
    })
  }
})
