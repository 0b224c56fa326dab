import { readFileSync } from "node:fs"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Simulator from "effect-modelroute/Simulator"
import { call, createExecution, errorOf, fluxRequest, idOf, send, test, toUrl, withApiKey } from "./utils/rawApi.js"

const { Fault } = Simulator

describe("Simulator.make", () => {
  it.effect("generates the same execution ids from the same seed", () => {
    const ids = (seed: number, faults: ReadonlyArray<Simulator.Fault.Fault>) =>
      Effect.gen(function* () {
        yield* Effect.forEach(faults, () => createExecution({}))
        return [idOf(yield* createExecution()), idOf(yield* createExecution())]
      }).pipe(Effect.provide(Simulator.layer({ seed, faults })))
    return Effect.gen(function* () {
      const expected = yield* ids(7, [])
      assert.deepStrictEqual(
        yield* ids(7, [Fault.apiError("INTERNAL_ERROR"), Fault.apiError("MODEL_OVERLOADED"), Fault.badGateway]),
        expected
      )
      assert.notDeepEqual(yield* ids(8, []), expected)
    })
  })

  it.scoped("keeps every execution and the last 10,000 requests of 10,500 requests", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.make({
        rateLimit: false,
        balance: "1000.00",
        models: { quick: { duration: 0, cost: "0.010", output: "none" } }
      })
      const request = {
        method: "POST",
        url: "/v1/executions",
        headers: { authorization: "Bearer k" },
        body: new TextEncoder().encode(JSON.stringify({ model: "quick", input: {} })),
        origin: "https://api.modelroute.ai",
        storage: "https://storage.modelroute.example"
      }
      yield* Effect.forEach(Array.from({ length: 10_500 }), () => simulator.handle(request), { discard: true })
      const { charged, executions } = yield* simulator.ledger
      assert.deepStrictEqual([charged, executions.length], ["105.000", 10_500])
      assert.lengthOf(yield* simulator.requests, 10_000)
    })
  )

  it.scoped("dies with a defect if an amount is not a decimal string", () =>
    Effect.gen(function* () {
      const invalid: ReadonlyArray<Simulator.Options> = [
        { balance: "1,5" },
        { defaultModel: { duration: 0, cost: "1,5", output: "none" } }
      ]
      for (const options of invalid) {
        const exit = yield* Effect.exit(Simulator.make(options))
        assert(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
        assert.match(String(exit.cause.defect), /"1,5" is not an amount/)
      }
    })
  )

  for (const kind of ["fixed", "sliding", "bucket"] as const) {
    it.scoped(`dies with a defect that names the invalid field of a ${kind} rate limit`, () =>
      Effect.gen(function* () {
        const invalid: ReadonlyArray<readonly [number, number, string]> = [
          [0, 1000, "rateLimit.limit is 0. Use a whole number above 0"],
          [-1, 1000, "rateLimit.limit is -1."],
          [1.5, 1000, "rateLimit.limit is 1.5."],
          [Number.NaN, 1000, "rateLimit.limit is NaN."],
          [60, 0, "rateLimit.window must be a finite duration above 0"],
          [60, Infinity, "rateLimit.window must be a finite duration above 0"]
        ]
        for (const [limit, window, message] of invalid) {
          const exit = yield* Effect.exit(Simulator.make({ rateLimit: { kind, limit, window } }))
          assert(Exit.isFailure(exit) && Cause.isDieType(exit.cause), message)
          assert.include(String(exit.cause.defect), message)
        }
      })
    )
  }
})

describe("Simulator.layer", () => {
  test(
    "returns an error envelope for an unknown path, an unknown id and an unsupported method",
    {},
    Effect.gen(function* () {
      const unknownPath = yield* call("GET", "/nowhere")
      const unknownId = yield* call("GET", "/executions/exec_1")
      const wrongMethod = yield* send(HttpClientRequest.del(toUrl("/executions")).pipe(withApiKey))
      assert.deepStrictEqual(
        [unknownPath, unknownId, wrongMethod].map((response) => [response.status, errorOf(response)["code"]]),
        [
          [404, "NOT_FOUND"],
          [404, "NOT_FOUND"],
          [405, "METHOD_NOT_ALLOWED"]
        ]
      )
      assert.strictEqual(wrongMethod.headers["allow"], "POST, GET")
    })
  )
})

describe("Simulator.httpApp", () => {
  it.scoped("makes the body of a web Response fail if a fault drops the connection", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.make({ rateLimit: false })
      const handler = HttpApp.toWebHandler(Effect.provideService(Simulator.httpApp, Simulator.Simulator, simulator))
      const fetchExecutions = (init: RequestInit) =>
        Effect.promise(() =>
          handler(new Request("http://sim.test/v1/executions", { headers: { authorization: "Bearer k" }, ...init }))
        )
      const created = yield* fetchExecutions({ method: "POST", body: JSON.stringify(fluxRequest) })
      assert.strictEqual(created.status, 202)
      assert.strictEqual(created.headers.get("content-length"), "211")
      const { executions } = yield* simulator.ledger
      assert.deepInclude(JSON.parse(yield* Effect.promise(() => created.text())), { id: executions[0]?.executionId })
      yield* simulator.inject(Fault.dropAfter)
      const dropped = yield* fetchExecutions({})
      assert(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => dropped.text()))))
    })
  )
})

describe("Simulator documentation", () => {
  const source = readFileSync("src/Simulator.ts", "utf8")
  /** Returns the names in the first column of the table below a heading. */
  const namesBelow = (heading: string) =>
    Array.from(
      source
        .split(`### ${heading}\n`)[1]
        ?.split("###")[0]
        ?.matchAll(/^ \* \| `(\w+)/gm) ?? [],
      ([, name]) => name
    ).toSorted()

  it("lists every fault", () => {
    assert.deepStrictEqual(namesBelow("Faults"), Object.keys(Fault).toSorted())
  })

  it("lists every option", () => {
    const options = readFileSync("src/internal/simulator/options.ts", "utf8").split("export interface Options {")[1]
    const names = Array.from((options ?? "").matchAll(/^ {2}readonly (\w+)/gm), ([, name]) => name)
    assert.isAbove(names.length, 15)
    assert.deepStrictEqual(namesBelow("Options"), names.toSorted())
  })
})
