/**
 * Composes the layers of the backend, from the server down to the store. The server is released first.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { type ConfigError, Layer } from "effect"
import { type ModelRouteClient, Webhook } from "effect-modelroute"
import type { OutOfService } from "./Errors.js"
import * as Images from "./Images.js"
import * as Prometheus from "./Prometheus.js"
import * as Records from "./Records.js"
import * as Server from "./Server.js"
import * as Store from "./Store.js"
import type { Secret } from "./Webhooks.js"

export const layer = <E>(
  secret: Layer.Layer<Secret, E, ModelRouteClient.ModelRouteClient | HttpServer.HttpServer>
): Layer.Layer<
  HttpServer.HttpServer,
  E | ConfigError.ConfigError | HttpServerError.ServeError | OutOfService | PlatformError,
  ModelRouteClient.ModelRouteClient
> =>
  Server.layer.pipe(
    Layer.provide(secret),
    Layer.provideMerge(Server.layerServer),
    Layer.provide([Images.layer, Prometheus.layer, Webhook.layerDedup()]),
    Layer.provide(Records.layer),
    Layer.provide(Store.layer),
    Layer.provide(NodeContext.layer)
  )
