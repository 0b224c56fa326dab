/** Provides the transports of the matrix. Only these tests trust the authority of the TLS certificates. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent } from "undici"
import { transports } from "../utils/transports.js"
import { authority as ca } from "./certificates.js"

const agent = Effect.acquireRelease(
  Effect.sync(() => new Agent({ connect: { ca } })),
  (agent) => Effect.promise(() => agent.destroy())
)

/** Node.js accepts the option `dispatcher`, which the type `RequestInit` of the platform does not declare. */
const fetchOptions = (dispatcher: Agent): RequestInit & { readonly dispatcher: Agent } => ({ dispatcher })

const tlsTransports: typeof transports = {
  fetch: FetchHttpClient.layer.pipe(
    Layer.provide(Layer.scoped(FetchHttpClient.RequestInit, Effect.map(agent, fetchOptions)))
  ),
  undici: Layer.provide(NodeHttpClient.layerUndiciWithoutDispatcher, Layer.scoped(NodeHttpClient.Dispatcher, agent)),
  "node:http": Layer.provide(NodeHttpClient.layerWithoutAgent, NodeHttpClient.makeAgentLayer({ ca }))
}

export type TransportName = "fetch" | "undici" | "node:http"

export const transportNames: ReadonlyArray<TransportName> = ["fetch", "undici", "node:http"]

/** Returns a new transport. The connections of `fetch` over plain HTTP stay open after the end of the scope. */
export const transportOf = (name: TransportName, isTls: boolean): Layer.Layer<HttpClient.HttpClient> => {
  const layer = (isTls ? tlsTransports : transports)[name]
  return Layer.fresh(layer ?? Layer.die(new Error(name)))
}
