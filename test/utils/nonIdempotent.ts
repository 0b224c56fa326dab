/** Tests non-idempotent methods without an idempotency key. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ModelRouteClient, ModelRouteError } from "effect-modelroute"
import { failureOf, valueOf } from "./exit.js"
import { makeFakeClient } from "./fake.js"
import { runToEnd, silent } from "./harness.js"
import { errorReply, scriptedApi } from "./scriptedApi.js"

const rateLimited = { ...errorReply("RATE_LIMITED", 429), headers: { "retry-after": "3" } }

/** Registers the tests of an operation. `success` is the JSON of a successful response. */
export const describeNonIdempotent = (
  operation: string,
  use: (client: ModelRouteClient.Service) => Effect.Effect<unknown, ModelRouteError.RequestFailure>,
  success: Readonly<Record<string, unknown>>
): void => {
  describe(`${operation} without an idempotency key`, () => {
    for (const [name, reply, tag] of [
      ["a 502 from a gateway", { status: 502, text: "bad gateway" }, "UnexpectedResponse"],
      ["a truncated response body", { status: 200, text: '{"id":"wh_' }, "TransportError"],
      ["MODEL_OVERLOADED", errorReply("MODEL_OVERLOADED", 503), "ModelOverloaded"],
      ["a retryable MODEL_OVERLOADED", errorReply("MODEL_OVERLOADED", 503, { retryable: true }), "ModelOverloaded"],
      ["a conflict", errorReply("CONFLICT", 409), "UnrecognizedError"]
    ] as const) {
      it.effect(`does not retry after ${name}`, () =>
        Effect.gen(function* () {
          const { requests, run } = scriptedApi(reply)
          assert.strictEqual(failureOf(yield* run(use))._tag, tag)
          assert.lengthOf(requests, 1)
        })
      )
    }

    for (const [name, reply] of [
      ["a 429 without an error code", { status: 429, json: {} }],
      ["a 429 with an unknown code", errorReply("TOO_FAST", 429, { retryable: true })],
      ["RATE_LIMITED with status 503", errorReply("RATE_LIMITED", 503, { retryable: true })],
      ["a retryable INSUFFICIENT_BALANCE", errorReply("INSUFFICIENT_BALANCE", 402, { retryable: true })]
    ] as const) {
      it.effect(`retries after ${name}`, () =>
        Effect.gen(function* () {
          const { requests, run } = scriptedApi(reply, { status: 200, json: success })
          yield* run(use)
          assert.lengthOf(requests, 2)
        })
      )
    }

    it.effect("retries after the delay in Retry-After", () =>
      Effect.gen(function* () {
        const { at, headers, requests, run } = scriptedApi(rateLimited, { status: 200, json: success })
        valueOf(yield* run(use))
        assert.lengthOf(requests, 2)
        assert.strictEqual((at[1] ?? 0) - (at[0] ?? 0), 3000)
        assert.isTrue(headers.every((each) => each["idempotency-key"] === undefined))
      })
    )

    for (const [code, requests] of [
      ["ECONNREFUSED", 2],
      ["ECONNRESET", 1]
    ] as const) {
      it.effect(`${requests === 2 ? "retries" : "does not retry"} after ${code}`, () =>
        Effect.gen(function* () {
          let sent = 0
          const { client } = makeFakeClient(() => ({ status: 200, json: success }), {
            transformClient: HttpClient.mapRequestEffect((request) => {
              sent += 1
              const cause = Object.assign(new Error(code), { code })
              return sent === 1
                ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
                : Effect.succeed(request)
            })
          })
          const exit = yield* runToEnd(silent(use(yield* client)))
          assert.strictEqual(sent, requests)
          if (requests === 2) valueOf(exit)
          else assert.strictEqual(failureOf(exit)._tag, "TransportError")
        })
      )
    }
  })
}
