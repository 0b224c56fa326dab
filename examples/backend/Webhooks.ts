/**
 * Receives the webhooks of ModelRoute at `POST /webhooks/modelroute`.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServer from "@effect/platform/HttpServer"
import { Config, type ConfigError, Context, Effect, Layer, type Redacted } from "effect"
import { ModelRouteClient, type ModelRouteError, Webhook } from "effect-modelroute"
import { Images } from "./Images.js"

export const path = "/webhooks/modelroute"

/** Secret that signs the deliveries. */
export class Secret extends Context.Tag("backend/Secret")<Secret, Redacted.Redacted>() {}

/** Reads the secret of a registered endpoint from `MODELROUTE_WEBHOOK_SECRET`. */
export const layerConfig: Layer.Layer<Secret, ConfigError.ConfigError> = Layer.effect(
  Secret,
  Config.redacted("MODELROUTE_WEBHOOK_SECRET")
)

/**
 * Registers this server as an endpoint at each start. Use this layer with the simulator, because the simulator does not
 * persist endpoints.
 */
export const layerRegistered: Layer.Layer<
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

/** Adds the webhook route to the raw router, because the signature covers the raw bytes. */
export const route: Layer.Layer<never, never, Secret | Webhook.Dedup | Images> = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const secrets = yield* Secret
    const { handleEvent } = yield* Images
    const context = yield* Effect.context<Webhook.Dedup>()
    yield* router.all(
      path,
      Effect.provide(Webhook.handler({ secrets, dedup: Webhook.Dedup, onEvent: handleEvent }), context)
    )
  })
)
