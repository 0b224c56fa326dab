/**
 * A program for several machines. `ROLE` selects what the process does:
 *
 * - `worker` runs workflows. Start it on each machine.
 * - `web` receives orders and webhooks. It runs no workflow.
 * - `single` does both in one process, with SQLite.
 *
 * All processes read `DATABASE_URL`. A worker also reads `RUNNER_HOST`, `RUNNER_PORT` and `MODELROUTE_API_KEY`. The web
 * server also reads `PORT`, `PUBLIC_URL` and `MODELROUTE_WEBHOOK_SECRET`.
 *
 * Each process may be killed at any time. Another worker, or the next process, continues its workflows.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Config, Effect, Layer, Logger } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import * as Engine from "./Engine.js"
import * as Web from "./Web.js"

/** Sends `NAME` as the user agent, so that the simulator can count the requests of each process. */
const http = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(Effect.all([HttpClient.HttpClient, Config.nonEmptyString("NAME")]), ([client, name]) =>
    HttpClient.mapRequest(client, HttpClientRequest.setHeader("user-agent", name))
  )
).pipe(Layer.provide(FetchHttpClient.layer))

/** A short delay, because a webhook is lost if its receiver is killed. The default is 30 seconds. */
const workflows = DurableExecution.layer({ baseDelay: "10 seconds" }).pipe(
  Layer.provide(ModelRouteClient.layerConfig()),
  Layer.provide([http, IdempotencyKey.layer])
)

const launch = <E>(layer: Layer.Layer<never, E>) => Layer.launch(Layer.tap(layer, () => Effect.log("Started")))

const roles = {
  worker: launch(Layer.provide(workflows, Engine.worker)),
  web: launch(Layer.provide(Web.layer, Engine.clientOnly)),
  single: launch(Layer.provide(Layer.merge(workflows, Web.layer), Engine.single))
}

const logLevel = Layer.unwrapEffect(Effect.map(Config.logLevel("LOG_LEVEL"), Logger.minimumLogLevel))

const main = Effect.gen(function* () {
  const role = yield* Config.literal("worker", "web", "single")("ROLE")
  return yield* roles[role]
})

NodeRuntime.runMain(Effect.provide(main, logLevel))
