/**
 * Selects the real API if `MODELROUTE_API_KEY` is set. Otherwise starts a simulator on a free local port. Also provides
 * the webhook secret.
 */
import type * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Config, type ConfigError, Console, Effect, Layer, Option, Record, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { wrap } from "../support/Text.js"
import * as Webhooks from "./Webhooks.js"

export type Options = Omit<ModelRouteClient.Options, "apiKey" | "baseUrl">

type Failure = ConfigError.ConfigError | ModelRouteError.RequestFailure | HttpServerError.ServeError

export interface ModelRoute {
  readonly client: Layer.Layer<ModelRouteClient.ModelRouteClient, Failure>
  /** Webhook secret. With the simulator, this layer registers an endpoint after the server has started. */
  readonly secret: Layer.Layer<Webhooks.Secret, Failure, ModelRouteClient.ModelRouteClient | HttpServer.HttpServer>
}

const transport = Layer.merge(NodeHttpClient.layerUndici, IdempotencyKey.layer)

const makeReal = (options: Options): ModelRoute => ({
  client: ModelRouteClient.layerConfig(options).pipe(Layer.provide(transport)),
  secret: Webhooks.layerConfig
})

const simulator = SimulatorServer.layer({
  models: Record.map(Simulator.models, (model) => ({ ...model, duration: "4 seconds", queued: "1 second" })),
  // Loses the first response to a create request, to show a retry in the trace.
  faults: [Simulator.Fault.on("executions.create", Simulator.Fault.dropAfter)]
})

const makeSimulated = (options: Options): ModelRoute => ({
  client: Layer.unwrapEffect(
    Effect.gen(function* () {
      const { url } = yield* SimulatorServer.SimulatorServer
      yield* Console.log(
        wrap(`MODELROUTE_API_KEY is not set, so the backend uses a simulator on ${url}. The simulator is free.`)
      )
      return ModelRouteClient.layer({ ...options, apiKey: Redacted.make("sk_simulated"), baseUrl: url })
    })
  ).pipe(Layer.provide([transport, simulator])),
  secret: Webhooks.layerRegistered
})

export const fromConfig = (options: Options): Effect.Effect<ModelRoute, ConfigError.ConfigError> =>
  Effect.map(Config.option(Config.nonEmptyString("MODELROUTE_API_KEY")), (key) =>
    Option.isSome(key) ? makeReal(options) : makeSimulated(options)
  )
