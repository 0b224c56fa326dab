/**
 * The simulator on a port of this machine, on Node.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import { Disconnect } from "./internal/simulator/http/serverApp.js"
import * as Simulator from "./Simulator.js"

/**
 * Where the server listens.
 *
 * @since 0.1.0
 * @category tags
 */
export class SimulatorServer extends Context.Tag("effect-modelroute/SimulatorServer")<
  SimulatorServer,
  {
    /** For example `http://127.0.0.1:8787`. */
    readonly url: string
    readonly port: number
  }
>() {}

/**
 * Where to listen, and how the server behaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Simulator.Options {
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string | undefined
}

const disconnect = Layer.succeed(Disconnect, {
  run: (request, { flush }) =>
    Effect.sync(() => {
      const { socket } = NodeHttpServerRequest.toServerResponse(request)
      if (flush) {
        socket?.destroySoon()
      } else {
        socket?.resetAndDestroy()
      }
    })
})

/** Without it the server would wait for connections that clients keep open. */
const closing = (server: Http.Server) =>
  Layer.scopedDiscard(
    Effect.addFinalizer(() =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )
  )

const address = (host: string) =>
  Layer.effect(
    SimulatorServer,
    Effect.map(HttpServer.HttpServer, ({ address }) => {
      const port = address._tag === "TcpAddress" ? address.port : 0
      return { url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`, port }
    })
  )

/**
 * Serves a new simulator until the scope closes, which ends the connections that are open. Fails with `ServeError` when
 * the port is taken.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Simulator.Simulator | SimulatorServer, HttpServerError.ServeError> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const { port = 0, host = "127.0.0.1", ...behaviour } = options
      const server = Http.createServer((_, response) => {
        response.sendDate = false // whether there is one is the simulator's affair
      })
      return HttpServer.serve(Simulator.httpApp).pipe(
        Layer.provide(disconnect),
        Layer.provideMerge(Layer.mergeAll(address(host), closing(server), Simulator.layerService(behaviour))),
        Layer.provide(NodeHttpServer.layer(() => server, { port, host }))
      )
    })
  )
