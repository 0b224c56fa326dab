/**
 * Serves the simulator on a TCP port, with Node.
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
 * The tag of the service that contains the address of a running simulator server.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SimulatorServer from "effect-modelroute/SimulatorServer"
 *
 * export const program = Effect.gen(function* () {
 *   const { url } = yield* SimulatorServer.SimulatorServer
 *   yield* Effect.log(`The simulator listens at ${url}`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class SimulatorServer extends Context.Tag("effect-modelroute/SimulatorServer")<
  SimulatorServer,
  {
    /** The base URL, such as `http://127.0.0.1:8787`. */
    readonly url: string
    /** The TCP port of the server. */
    readonly port: number
  }
>() {}

/**
 * Options of the server and of the simulator.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Simulator.Options {
  /** The TCP port of the server. Default: 0, which selects a free port. */
  readonly port?: number | undefined
  /**
   * The host name or address that the server listens on. Default: `127.0.0.1`, which accepts only local connections.
   */
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

/**
 * Closes all connections when the scope closes. Without this finalizer, the server would wait until its idle keep-alive
 * connections end.
 */
const closeConnections = (server: Http.Server) =>
  Layer.scopedDiscard(
    Effect.addFinalizer(() =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )
  )

const layerAddress = (host: string) =>
  Layer.effect(
    SimulatorServer,
    Effect.map(HttpServer.HttpServer, ({ address }) => {
      const port = address._tag === "TcpAddress" ? address.port : 0
      return { url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`, port }
    })
  )

/**
 * Provides a new simulator and serves the simulator over HTTP until the scope closes. Then closes all open connections.
 * Fails with `ServeError` if the server cannot listen, for example because the port is in use.
 *
 * @example
 * ```ts
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as SimulatorServer from "effect-modelroute/SimulatorServer"
 *
 * const printUrl = Layer.effectDiscard(
 *   Effect.flatMap(SimulatorServer.SimulatorServer, ({ url }) => Console.log(url))
 * )
 * const server = SimulatorServer.layer({ port: 8787, rateLimit: { limit: 10, window: "10 seconds" } })
 *
 * export const main = () => NodeRuntime.runMain(Layer.launch(Layer.provide(printUrl, server)))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Simulator.Simulator | SimulatorServer, HttpServerError.ServeError> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const { port = 0, host = "127.0.0.1", ...simulatorOptions } = options
      const server = Http.createServer((_, response) => {
        response.sendDate = false // Disables Node's Date header, because the simulator can omit the header.
      })
      return HttpServer.serve(Simulator.httpApp).pipe(
        Layer.provide(disconnect),
        Layer.provideMerge(
          Layer.mergeAll(layerAddress(host), closeConnections(server), Simulator.layerService(simulatorOptions))
        ),
        Layer.provide(NodeHttpServer.layer(() => server, { port, host }))
      )
    })
  )
