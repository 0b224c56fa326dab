/** Tests how an attempt reads and classifies a response. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { Execution, RetryPolicy } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { runToEnd } from "../utils/harness.js"

describe("ModelRouteClient", () => {
  const id = Execution.ExecutionId.make("exec_1")
  const bytes = (text: string) => new TextEncoder().encode(text)
  const endless = (chunk: number, of: number) => {
    const pulled = { bytes: 0 }
    const body = Stream.repeatEffect(
      Effect.sync(() => {
        pulled.bytes += chunk
        return new Uint8Array(chunk).fill(120)
      })
    ).pipe(Stream.take(of / chunk))
    return { body, pulled }
  }
  const MiB = 1024 * 1024

  it.effect("retries a request after a 200 response with an empty or truncated body", () =>
    Effect.gen(function* () {
      for (const text of ["", '{"id":"exec_1","status":"PEN']) {
        const { client, urls } = makeFakeClient((_, n) =>
          n === 1 ? { status: 200, text } : { status: 200, json: { id: "exec_1", status: "PENDING" } }
        )
        valueOf(yield* runToEnd((yield* client).executions.get(id)))
        assert.lengthOf(urls, 2)
      }
    })
  )

  it.effect("fails with the API error in the body even if the status is 200", () =>
    Effect.gen(function* () {
      const error = { code: "INSUFFICIENT_BALANCE", message: "no money" }
      const rejected = makeFakeClient(() => ({ status: 200, json: { error } }))
      const exit = yield* Effect.exit((yield* rejected.client).request("GET", "/x"))
      assert.strictEqual(failureOf(exit)._tag, "InsufficientBalance")
      for (const fields of [{ id: "exec_1" }, { execution_id: "exec_1" }, { status: "FAILED" }]) {
        const { client } = makeFakeClient(() => ({ status: 200, json: { ...fields, error } }))
        assert.deepStrictEqual(yield* (yield* client).request("GET", "/x"), { ...fields, error })
      }
    })
  )

  it.effect("reads at most 64 MiB of a successful response", () =>
    Effect.gen(function* () {
      for (const [status, most, whole] of [
        [200, 64 * MiB, 96 * MiB],
        [500, MiB, 32 * MiB]
      ] as const) {
        for (const headers of [{}, { "content-length": String(whole) }]) {
          const { body, pulled } = endless(MiB / 4, whole)
          const { client } = makeFakeClient(
            () => ({ status, headers: { "content-type": "text/plain", ...headers }, body }),
            {
              retry: RetryPolicy.none
            }
          )
          const exit = yield* Effect.exit((yield* client).request("GET", "/x"))
          assert.isTrue(Exit.isFailure(exit))
          const error = failureOf(exit)
          assert.strictEqual(error._tag, "UnexpectedResponse")
          if (status === 200) assert.include(error.message, "larger than 64 MiB")
          assert.isAtMost(pulled.bytes, most + 2 * MiB)
        }
      }
    })
  )

  it.effect("fails with TransportError if the body of an error response is truncated", () =>
    Effect.gen(function* () {
      const failing = (status: number, text: string) => {
        const { client } = makeFakeClient(() => ({ status, text, headers: { "content-length": "999" } }), {
          retry: RetryPolicy.none
        })
        return Effect.map(runToEnd(Effect.flatMap(client, ({ executions }) => executions.get(id))), failureOf)
      }
      const cut = yield* failing(500, "<html><bo")
      assert.strictEqual(cut._tag === "TransportError" && cut.reason, "truncated")
      const whole = yield* failing(400, '{"error":{"code":"FILE_NOT_FOUND","message":"gone"}}')
      assert.strictEqual(whole._tag, "FileNotFound")
    })
  )

  it.effect("fails with TransportError if the body of a 200 response is shorter than its Content-Length", () =>
    Effect.gen(function* () {
      const json = { id: "exec_1", status: "PENDING" }
      const none = { retry: RetryPolicy.none }
      const short = makeFakeClient(() => ({ status: 200, json, headers: { "content-length": "999" } }), none)
      const error = failureOf(yield* Effect.exit((yield* short.client).executions.get(id)))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      const packed = makeFakeClient(
        () => ({ status: 200, json, headers: { "content-length": "999", "content-encoding": "gzip" } }),
        none
      )
      assert.strictEqual((yield* (yield* packed.client).executions.get(id)).status, "PENDING")
    })
  )

  it.effect("fails with TransportError if the connection breaks while the body of an error response is read", () => {
    const { client } = makeFakeClient(
      () => ({
        status: 500,
        headers: { "content-length": "999" },
        body: Stream.concat(Stream.make(bytes("<ht")), Stream.die("broken"))
      }),
      { retry: RetryPolicy.none }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.get(id)))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
    })
  })

  it.effect("converts the errors of a transformed HTTP client to ModelRouteErrors", () =>
    Effect.gen(function* () {
      const strict = makeFakeClient(
        () => ({ status: 402, json: { error: { code: "INSUFFICIENT_BALANCE", message: "x" } } }),
        {
          transformClient: HttpClient.filterStatusOk
        }
      )
      const rejected = failureOf(yield* Effect.exit((yield* strict.client).executions.get(id)))
      assert.strictEqual(rejected._tag, "InsufficientBalance")
      const lost = makeFakeClient(() => ({ status: 200 }), {
        transformClient: HttpClient.mapRequest(HttpClientRequest.setUrl("http://["))
      })
      const error = failureOf(yield* runToEnd(Effect.flatMap(lost.client, ({ executions }) => executions.get(id))))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "request")
      assert.strictEqual(error.attempts, 1)
    })
  )
})
