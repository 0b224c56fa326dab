/**
 * Where ModelRoute tells how executions have ended: `POST /webhooks/modelroute`.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServer from "@effect/platform/HttpServer"
import { Config, type ConfigError, Context, Effect, Layer, type Redacted } from "effect"
import { ModelRouteClient, type ModelRouteError, Webhook } from "effect-modelroute"
import { Images } from "./Images.js"

export const path = "/webhooks/modelroute"

/** What ModelRoute signs its deliveries with. */
export class Secret extends Context.Tag("backend/Secret")<Secret, Redacted.Redacted>() {}

/** `MODELROUTE_WEBHOOK_SECRET`, of an endpoint that was registered once. */
export const secretConfig: Layer.Layer<Secret, ConfigError.ConfigError> = Layer.effect(
  Secret,
  Config.redacted("MODELROUTE_WEBHOOK_SECRET")
)

/** Registers this very server: for a ModelRoute that can reach it and forgets it, such as the simulator. */
export const registered: Layer.Layer<
  Secret,
  ModelRouteError.RequestFailure,
  ModelRouteClient.ModelRouteClient | HttpServer.HttpServer
> = Layer.effect(
  Secret,
  Effect.gen(function* () {
    const { webhookEndpoints } = yield* ModelRouteClient.ModelRouteClient
    const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
    const { secret } = yield* webhookEndpoints.create({
      url: `${url}${path}`,
      events: ["execution.completed", "execution.failed", "execution.cancelled"]
    })
    return secret
  })
)

/** Raw, because the signature is over the bytes as they arrive. */
export const route: Layer.Layer<never, never, Secret | Webhook.Dedup | Images> = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const secrets = yield* Secret
    const { hear } = yield* Images
    const context = yield* Effect.context<Webhook.Dedup>()
    yield* router.all(path, Effect.provide(Webhook.handler({ secrets, dedup: Webhook.Dedup, onEvent: hear }), context))
  })
)
