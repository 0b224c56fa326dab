/**
 * Tests the client with random sequences of faults. No execution is created twice or lost. Every call ends with a
 * declared result.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck as fc } from "effect"
import { ModelRouteClient, ModelRouteError } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { apiKey, layer, prompt, silent, start } from "../utils/harness.js"
import { numRuns } from "../utils/suite.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const seed = 20_260_320
const scripts = numRuns(60, 1200)
const maxFaults = 6

const phase = fc.constantFrom<Fault.Phase>("before", "after")
const part = fc.double({ min: 0, max: 0.99, noNaN: true })
const code = fc.constantFrom(...Object.keys(ModelRouteError.codes), "UNAUTHORIZED", "A_CODE_OF_TOMORROW", "CONFLICT")
const header = fc.constantFrom("0", "1", "2.5", "-1", "soon", "1, 1", "Fri, 20 Mar 2026 10:30:09 GMT", "9".repeat(20))

const raw = fc
  .record({
    status: fc.constantFrom(200, 202, 204, 302, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 504, 599),
    body: fc.constantFrom(
      "",
      "<html><body>Bad gateway</body></html>",
      '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>',
      '{"error":{"code":"MODEL_OVERLOADED"',
      '{"error":"no envelope"}',
      '{"type":"about:blank","title":"Conflict","status":409}',
      "[]",
      "null",
      '"text"',
      "\u0000\ufffd"
    ),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { "content-type": "application/json" },
      { "content-type": "text/html; charset=no-such-charset" },
      { "content-type": "application/json", "retry-after": "3" },
      { location: "http://127.0.0.1:1/" }
    ),
    phase
  })
  .filter(({ body, status }) => status !== 204 || body === "")
  .map(Fault.raw)

const anyFault: fc.Arbitrary<Fault.Fault> = fc.oneof(
  fc.constant(Fault.dropBefore),
  fc.constant(Fault.dropAfter),
  part.map((keep) => Fault.cutBody({ keep })),
  part.map((keep) => Fault.truncateCleanly({ keep })),
  fc.tuple(fc.integer({ min: 1, max: 60_000 }), phase).map(([millis, phase]) => Fault.delay(millis, phase)),
  phase.map(Fault.hang),
  fc
    .tuple(code, phase, fc.constantFrom(true, false, null, undefined), fc.constantFrom(undefined, 200, 409, 500))
    .map(([code, phase, retryable, status]) => Fault.apiError(code, { phase, retryable, status })),
  raw,
  fc
    .tuple(fc.integer({ min: 0, max: 200_000 }), fc.option(header, { nil: undefined }), phase)
    .map(([resetIn, retryAfter, phase]) =>
      Fault.apiError("RATE_LIMITED", {
        resetIn,
        headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
        phase
      })
    ),
  fc.integer({ min: -600_000, max: 600_000 }).map(Fault.skewDate),
  fc.constant(Fault.withoutHeaders()),
  fc.constantFrom<Fault.ResetUnit>("millis", "delta", "garbage", "past", "absurd").map(Fault.resetUnit)
)

const script = fc.array(anyFault, { minLength: 1, maxLength: maxFaults })

/** Creates an execution and waits for its end. After a failure, resumes the call with the key of the error. */
const runCaller = (faults: ReadonlyArray<Fault.Fault>, name: string) =>
  Effect.gen(function* () {
    const { executions } = yield* ModelRouteClient.ModelRouteClient
    const simulator = yield* Simulator
    const request = { model: "flux-1.1-pro", input: { prompt: `${prompt} ${name}` } }
    const first = yield* Effect.exit(executions.run(request))
    const findCreates = () =>
      Effect.map(simulator.requests, (all) => all.filter(({ operation }) => operation === "executions.create"))

    if (Exit.isFailure(first)) {
      const error = failureOf(first)
      assert.isTrue(ModelRouteError.isModelRouteError(error), name)
      assert.notInclude(JSON.stringify(error), prompt, name)
      assert.notInclude(JSON.stringify(error), apiKey, name)
      assert.strictEqual(error.idempotencyKey, "key-1", name)
      assert.isAtMost((yield* simulator.ledger).executions.length, 1, name)
      // The error must contain the key because the caller resumes the call with the same key and body.
      const resumed = executions.create(request, { idempotencyKey: error.idempotencyKey })
      const waitForReset = (e: ModelRouteError.RequestFailure) =>
        e._tag === "RateLimited" && e.retryAfter !== undefined ? Effect.sleep(e.retryAfter) : Effect.void
      yield* Effect.retry(Effect.tapError(resumed, waitForReset), { times: maxFaults })
    }

    const ledger = yield* simulator.ledger
    assert.lengthOf(ledger.executions, 1, name)
    const sent = yield* findCreates()
    assert.deepStrictEqual(new Set(sent.map(({ idempotencyKey }) => idempotencyKey)), new Set(["key-1"]), name)
    assert.lengthOf(new Set(sent.map(({ body }) => Buffer.from(body).toString("hex"))), 1, name)
    assert.isAtLeast(sent.length, 1, name)
    return Exit.isSuccess(first)
  }).pipe(Effect.provide(layer({ simulator: { faults } })))

describe("executions.run", () => {
  it.effect(`creates exactly one execution in each of ${scripts} random sequences of faults (seed ${seed})`, () =>
    Effect.gen(function* () {
      const drawn = fc.sample(script, { numRuns: scripts, seed })
      let succeeded = 0
      for (const [i, faults] of drawn.entries()) {
        const name = `seed ${seed}, script ${i}: ${JSON.stringify(faults)}`
        if (valueOf(yield* runInVirtualTime(silent(runCaller(faults, name)), start))) succeeded += 1
      }
      // The test covers both branches only if some runs succeed and some runs fail.
      assert.isAbove(succeeded, scripts / 10)
      assert.isAbove(scripts - succeeded, scripts / 10)
    })
  )
})
