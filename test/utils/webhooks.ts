/** Creates webhook deliveries, and serves apps that receive them. */
import * as Http from "node:http"
import * as Net from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Webhook from "../../src/Webhook.js"
import * as samples from "./apiSamples.js"

export const secretText = samples.createdEndpoint.json.secret
export const secret = Redacted.make(secretText)

/** Returns the body of an event for a completed execution, like the sample of the API documentation. */
export const eventPayload = (id: string, data: Record<string, unknown> = {}): string => {
  const { created_at: _created, completed_at: _completed, ...execution } = samples.completedEvent.json.data
  return JSON.stringify({
    ...samples.completedEvent.json,
    id,
    execution_id: `exec_${id}`,
    data: { ...execution, id: `exec_${id}`, ...data }
  })
}

/** Signs a body at the current time. */
export const signDelivery = (body: string, withSecret: Redacted.Redacted = secret) =>
  Effect.map(Webhook.sign({ body, secret: withSecret }), (headers) => ({ body, headers }))

/** Posts a delivery. Returns the status and the body of the response. */
export const postDelivery = (url: string, delivery: Webhook.Delivery, extra: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const headers = { ...extra }
    for (const [name, value] of Object.entries(delivery.headers)) headers[name] = String(value)
    const { body } = delivery
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : new Uint8Array(body)
    })
    return { status: response.status, text: await response.text() }
  })

export interface RunningServer {
  readonly url: string
  readonly port: number
  readonly server: Http.Server
}

/** Serves an app on a free local port until the scope closes. The end of the scope also closes open connections. */
export const serveApp = <E, R>(app: HttpApp.Default<E, R>) =>
  Effect.gen(function* () {
    const server = Http.createServer()
    const http = yield* NodeHttpServer.make(() => server, { port: 0, host: "127.0.0.1" })
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    yield* Effect.provideService(HttpServer.serveEffect(app), HttpServer.HttpServer, http)
    const port = http.address._tag === "TcpAddress" ? http.address.port : 0
    return { url: `http://127.0.0.1:${port}/`, port, server } satisfies RunningServer
  })

/**
 * Opens a TCP connection for raw HTTP. `response` resolves with all received text when the connection closes.
 */
export const connect = (
  port: number
): Effect.Effect<{ readonly socket: Net.Socket; readonly response: Promise<string> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly socket: Net.Socket; readonly response: Promise<string> }>((resume) => {
      const socket = Net.connect(port, "127.0.0.1")
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
      })
      socket.on("error", () => {})
      const response = new Promise<string>((resolve) => {
        socket.on("close", () => resolve(text))
      })
      socket.once("connect", () => resume(Effect.succeed({ socket, response })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Encodes the request line and the headers of a POST request. */
export const requestHead = (headers: Readonly<Record<string, string>>): string =>
  [
    "POST / HTTP/1.1",
    "host: 127.0.0.1",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\r\n")
