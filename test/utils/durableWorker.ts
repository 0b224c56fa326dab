/**
 * Runs a worker of durable executions in the process that the chaos runs start. The argument is the JSON text of
 * `WorkerArguments`. Prints the lines of `WorkerLine`.
 */
import { createServer } from "node:http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import * as IdempotencyKey from "effect-modelroute/IdempotencyKey"
import * as ModelRouteClient from "effect-modelroute/ModelRouteClient"
import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"
import * as Webhook from "effect-modelroute/Webhook"
import * as engines from "./durableEngine.js"
import { type Engine, type WorkerLine, WorkerArgumentsText, WorkerLineText } from "./durableWorkerLines.js"
import { idOf, outcomeOf, start } from "./durableWorkload.js"

const { apiUrl, baseDelay, engine, maxDelay } = Schema.decodeUnknownSync(WorkerArgumentsText)(process.argv[2])

const encodeLine = Schema.encodeSync(WorkerLineText)

const print = (line: WorkerLine) => Effect.sync(() => void process.stdout.write(`${encodeLine(line)}\n`))

const printUsage = Effect.suspend(() => {
  const { system, user } = process.cpuUsage()
  const { heapUsed, rss } = process.memoryUsage()
  return print({ _tag: "Usage", cpuMillis: (user + system) / 1000, heapBytes: heapUsed, rssBytes: rss })
})

const client = ModelRouteClient.layer({ apiKey: Redacted.make("sk_test"), baseUrl: apiUrl }).pipe(
  Layer.provide([NodeHttpClient.layerUndici, IdempotencyKey.layer])
)

/** Receives the webhooks and starts all workflows. A workflow of an earlier process continues. */
const single = ({ hooksPort, secret, workflows }: Extract<Engine, { readonly _tag: "Sqlite" }>) => {
  const indices = Array.from({ length: workflows }, (_, index) => index)
  const router = HttpRouter.empty.pipe(
    HttpRouter.post("/hooks", Webhook.handler({ secrets: Redacted.make(secret), onEvent: DurableExecution.onEvent }))
  )
  const receiver = HttpServer.serve(router).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port: hooksPort, host: "127.0.0.1" }))
  )
  const startAll = Effect.forEach(
    indices,
    (index) =>
      start(index, `http://127.0.0.1:${hooksPort}/hooks`).pipe(
        Effect.zipRight(outcomeOf(index)),
        Effect.flatMap((outcome) => print({ _tag: "Ended", id: idOf(index), outcome }))
      ),
    { concurrency: "unbounded", discard: true }
  )
  return Layer.merge(receiver, Layer.scopedDiscard(Effect.forkScoped(startAll)))
}

const engineLayer =
  engine._tag === "Postgres"
    ? engines.postgresWorker(engine.url, engine.port, engine.settings)
    : engines.sqlite(engine.path)

const worker = DurableExecution.layer({ baseDelay, maxDelay }).pipe(
  Layer.provideMerge(Layer.provideMerge(SqlSuspensionStore.layer(), engineLayer)),
  Layer.provideMerge(client)
)

const program = Layer.provideMerge(
  Layer.scopedDiscard(
    Effect.zipRight(
      print({ _tag: "Ready" }),
      Effect.forkScoped(Effect.repeat(printUsage, Schedule.spaced("500 millis")))
    )
  ),
  engine._tag === "Sqlite" ? Layer.provideMerge(single(engine), worker) : worker
)

// A measurement sends this signal before it reads the usage.
process.on("SIGUSR2", () => {
  globalThis.gc?.()
  Effect.runSync(printUsage)
})

NodeRuntime.runMain(Layer.launch(program).pipe(Logger.withMinimumLogLevel(LogLevel.Warning)))
