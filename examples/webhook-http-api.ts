/**
 * Receives webhooks in an `HttpApi`. `handleRaw` passes the undecoded request to `Webhook.handler`, because the
 * signature covers the raw bytes. An event ends the wait of the client before its first poll.
 *
 *     npx tsx examples/webhook-http-api.ts
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpClient,
  HttpClientRequest,
  HttpServer
} from "@effect/platform"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Console, Effect, Layer, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { createServer } from "node:http"

/** Declares the endpoint without a payload, so that the platform does not read the body. */
const Api = HttpApi.make("backend").add(
  HttpApiGroup.make("webhooks").add(HttpApiEndpoint.post("modelroute", "/webhooks/modelroute"))
)

/** In production, read the secret with `Config.redacted("MODELROUTE_WEBHOOK_SECRET")`. */
const secret = Redacted.make("whsec_0123456789abcdef0123456789abcdef")

/** Creates the handler once, because the handler stores the ids of the handled events. */
const receive = Webhook.handler({
  secrets: secret,
  onEvent: (event) =>
    Effect.zipRight(
      Console.log(`Received ${event.type} with the status ${event.execution?.status}`),
      Webhook.notifyClient(event)
    )
})

const webhooks = HttpApiBuilder.group(Api, "webhooks", (handlers) => handlers.handleRaw("modelroute", () => receive))

const server = HttpApiBuilder.serve().pipe(
  Layer.provide(HttpApiBuilder.api(Api)),
  Layer.provide(webhooks),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

/** Handles the requests of the client in memory. Delivers the signed events to the server with `fetch`. */
const client = ModelRouteClient.layer({
  apiKey: Redacted.make("sk_simulated"),
  // The client polls only as a safety net, first after 30 seconds.
  pollSchedule: Webhook.pollSchedule
}).pipe(
  Layer.provideMerge(
    Simulator.layer({
      models: { "flux-1.1-pro": { duration: "1 second", cost: "0.040", output: "image" } },
      webhooks: { secret: Redacted.value(secret) }
    })
  ),
  Layer.provide(IdempotencyKey.layer)
)

/** Sends an event without a signature. */
const postForgery = (url: string) =>
  HttpClientRequest.post(url).pipe(
    HttpClientRequest.bodyText('{"id":"evt_forged"}', "application/json"),
    HttpClient.execute,
    Effect.provide(FetchHttpClient.layer)
  )

const main = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  const webhookUrl = yield* HttpServer.addressFormattedWith((url) => Effect.succeed(`${url}/webhooks/modelroute`))

  const request = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" }, webhookUrl }
  const { id, status } = yield* executions.run(request)
  yield* Console.log(`${id} is ${status}`)

  const requests = yield* simulator.requests
  yield* Console.log(`The client sent ${requests.length} request: ${requests.map(({ operation }) => operation).join()}`)
  yield* Console.log(`The response to a forged event has the status ${(yield* postForgery(webhookUrl)).status}`)
})

NodeRuntime.runMain(Effect.provide(main, Layer.provideMerge(server, client)))
