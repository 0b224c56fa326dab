/**
 * The web server of the example. It starts an execution for each order, returns the result, and receives the webhooks.
 *
 * - `PUT /orders/:id` with a prompt as the body responds with 202. A repeated request has no effect.
 * - `GET /orders/:id` responds with 200 and the file ids, or with 202 after 10 seconds. Responds with 422 if the
 *   execution has failed.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Config, Effect, Layer, Option, Schema } from "effect"
import { Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { createServer } from "node:http"

const webhookPath = "/webhooks/modelroute"

const OrderPath = HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.NonEmptyString }))

/** Starts the execution of an order. The id of the order is also the id of the durable execution. */
const start = Effect.gen(function* () {
  const { id } = yield* OrderPath
  const request = yield* HttpServerRequest.HttpServerRequest
  const publicUrl = yield* Config.nonEmptyString("PUBLIC_URL")
  yield* DurableExecution.start(id, {
    model: "flux-1.1-pro",
    input: { prompt: yield* request.text },
    webhookUrl: `${publicUrl}${webhookPath}`
  })
  return HttpServerResponse.empty({ status: 202 })
})

const result = Effect.gen(function* () {
  const { id } = yield* OrderPath
  const completed = yield* Effect.timeoutOption(DurableExecution.await(id), "10 seconds")
  return Option.isNone(completed)
    ? HttpServerResponse.empty({ status: 202 })
    : HttpServerResponse.unsafeJson({ files: completed.value.fileIds })
}).pipe(
  Effect.catchIf(Schema.is(Schema.Union(DurableExecution.Failure, DurableExecution.Cancelled)), ({ _tag, message }) =>
    Effect.succeed(HttpServerResponse.unsafeJson({ error: _tag, message }, { status: 422 }))
  )
)

const app = Effect.map(Config.redacted("MODELROUTE_WEBHOOK_SECRET"), (secrets) =>
  HttpRouter.empty.pipe(
    HttpRouter.put("/orders/:id", start),
    HttpRouter.get("/orders/:id", result),
    HttpRouter.post(webhookPath, Webhook.handler({ secrets, onEvent: DurableExecution.onEvent })),
    HttpServer.serve()
  )
)

const server = Layer.unwrapEffect(
  Effect.map(Config.integer("PORT"), (port) => NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
)

/** Requires the workflow engine. Listens on `PORT`. The API sends the webhooks to `PUBLIC_URL`. */
export const layer = Layer.unwrapEffect(app).pipe(Layer.provide(server))
