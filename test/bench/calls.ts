/**
 * Measures the CPU time for each create request with 64 concurrent requests. The server runs in another process. The
 * same run measures other clients for comparison. Compare the ratios, because the absolute times depend on the machine.
 *
 *     npm run bench:calls [-- rounds]
 */
import { fork } from "node:child_process"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Array, Console, Effect, Layer, Redacted, Schema } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"

const concurrency = 64
const calls = 2000

const body = { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } }
const responseBody = JSON.stringify({
  id: "exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890",
  status: "PENDING",
  model: "flux-1.1-pro",
  hold_amount: "0.048",
  estimated_cost: "0.040",
  expires_at: "2026-03-20T10:35:00Z",
  created_at: "2026-03-20T10:30:00Z"
})

const runServer = (): void => {
  const server = Http.createServer((request, response) => {
    request.resume()
    request.on("end", () => {
      response.writeHead(202, { "content-type": "application/json", "content-length": responseBody.length })
      response.end(responseBody)
    })
  })
  server.listen(0, "127.0.0.1", () => {
    const address: AddressInfo | string | null = server.address()
    process.send?.(typeof address === "object" && address !== null ? address.port : 0)
  })
  process.on("disconnect", () => process.exit())
}

const startServer = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly stop: () => void }>((resume) => {
    const child = fork(fileURLToPath(import.meta.url), ["serve"])
    child.once("message", (port) =>
      resume(Effect.succeed({ url: `http://127.0.0.1:${String(port)}`, stop: () => child.disconnect() }))
    )
  }),
  ({ stop }) => Effect.sync(stop)
)

const Execution = Schema.Struct({ id: Schema.String, status: Schema.String })

/** Creates a client from the `HttpClient` in the context. Returns an effect that sends one create request. */
type BenchClient = Effect.Effect<Effect.Effect<unknown, unknown>, unknown, HttpClient.HttpClient>

const makeFetchCreate = (url: string): BenchClient =>
  Effect.succeed(
    Effect.tryPromise(() =>
      fetch(`${url}/v1/executions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer sk_x", "idempotency-key": "key" },
        body: JSON.stringify(body)
      }).then((response) => response.json())
    )
  )

const makePlainCreate = (url: string): BenchClient =>
  Effect.map(HttpClient.HttpClient, (client) =>
    HttpClientRequest.post(`${url}/v1/executions`).pipe(
      HttpClientRequest.bearerToken("sk_x"),
      HttpClientRequest.setHeader("idempotency-key", "key"),
      HttpClientRequest.bodyUnsafeJson(body),
      client.execute,
      Effect.flatMap(HttpClientResponse.schemaBodyJson(Execution))
    )
  )

const makeCreate = (url: string): BenchClient =>
  Effect.map(ModelRouteClient.make({ apiKey: Redacted.make("sk_x"), baseUrl: url }), ({ executions }) =>
    executions.create(body)
  ).pipe(Effect.provide(IdempotencyKey.layer))

const measureMicros = (call: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    yield* Effect.forEach(Array.range(1, calls), () => call, { concurrency, discard: true })
    const { system, user } = process.cpuUsage(before)
    return (system + user) / calls
  })

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const main = Effect.gen(function* () {
  const rounds = Number(process.argv[2] ?? 5)
  const { url } = yield* startServer
  const undici = yield* Layer.build(NodeHttpClient.layerUndici)
  const fetchLayer = yield* Layer.build(FetchHttpClient.layer)
  const benchClients = [
    ["fetch alone", yield* Effect.provide(makeFetchCreate(url), fetchLayer)],
    ["HttpClient over fetch", yield* Effect.provide(makePlainCreate(url), fetchLayer)],
    ["effect-modelroute over fetch", yield* Effect.provide(makeCreate(url), fetchLayer)],
    ["HttpClient over undici", yield* Effect.provide(makePlainCreate(url), undici)],
    ["effect-modelroute over undici", yield* Effect.provide(makeCreate(url), undici)]
  ] as const
  // The first round includes just-in-time compilation, so its times are discarded.
  yield* Effect.forEach(benchClients, ([, call]) => measureMicros(call))
  const times = benchClients.map((): Array<number> => [])
  // The clients alternate, because the speed of the machine can change during the benchmark.
  for (let round = 0; round < rounds; round++) {
    for (const [i, [, call]] of benchClients.entries()) times[i]?.push(yield* measureMicros(call))
  }
  const plainMicros = new Map([
    ["fetch", median(times[1] ?? [])],
    ["undici", median(times[3] ?? [])]
  ])
  yield* Console.log(`CPU per call, median of ${rounds} rounds of ${calls} calls, ${concurrency} concurrent`)
  for (const [i, [name]] of benchClients.entries()) {
    const time = median(times[i] ?? [])
    const peer = plainMicros.get(name.endsWith("undici") ? "undici" : "fetch") ?? Number.NaN
    yield* Console.log(
      `${name.padEnd(32)} ${time.toFixed(0).padStart(5)} us   ${(time / peer).toFixed(2)} of the plain HttpClient`
    )
  }
})

if (process.argv[2] === "serve") runServer()
else NodeRuntime.runMain(Effect.scoped(main))
