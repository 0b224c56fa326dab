/** Deliveries as ModelRoute sends them, and a server that receives them. */
import * as Http from "node:http"
import * as Net from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Webhook from "../../src/Webhook.js"

export const secretText = "whsec_k8m2n4p6r8t0v2x4z6a8c0e2g4i6k8m2n4p6r8t0"
export const secret = Redacted.make(secretText)

/** What the API posts when an execution has ended, as "Webhooks overview" shows it. */
export const payload = (id: string, data: Record<string, unknown> = {}): string =>
  JSON.stringify({
    id,
    event_type: "execution.completed",
    timestamp: "2026-03-20T10:32:15Z",
    version: "1.0",
    organization_id: "org_a1b2c3d4",
    execution_id: `exec_${id}`,
    data: {
      id: `exec_${id}`,
      status: "COMPLETED",
      model: "flux-1.1-pro",
      cost: "0.040",
      latency_ms: 8420,
      result: { file_id: "file_d4e5f678-9012-3456-abcd-ef1234567890" },
      ...data
    }
  })

/** A delivery signed now. */
export const signed = (body: string, by: Redacted.Redacted = secret) =>
  Effect.map(Webhook.sign({ body, secret: by }), (headers) => ({ body, headers }))

/** Posts a body and gives the status of the answer, and its body. */
export const post = (url: string, delivery: Webhook.Delivery, extra: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const headers = { ...extra }
    for (const [name, value] of Object.entries(delivery.headers)) headers[name] = String(value)
    const { body } = delivery
    const answer = await fetch(url, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : new Uint8Array(body)
    })
    return { status: answer.status, text: await answer.text() }
  })

export interface Receiving {
  readonly url: string
  readonly port: number
  readonly server: Http.Server
}

/** Serves an app on a free port of this machine until the scope closes, which breaks the connections that are open. */
export const serveApp = <E, R>(app: HttpApp.Default<E, R>) =>
  Effect.gen(function* () {
    const server = Http.createServer()
    const http = yield* NodeHttpServer.make(() => server, { port: 0, host: "127.0.0.1" })
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    yield* Effect.provideService(HttpServer.serveEffect(app), HttpServer.HttpServer, http)
    const port = http.address._tag === "TcpAddress" ? http.address.port : 0
    return { url: `http://127.0.0.1:${port}/`, port, server } satisfies Receiving
  })

/** A connection on which a test writes HTTP by hand. `answer` is what has arrived when the other side has closed it. */
export const connect = (
  port: number
): Effect.Effect<{ readonly socket: Net.Socket; readonly answer: Promise<string> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly socket: Net.Socket; readonly answer: Promise<string> }>((resume) => {
      const socket = Net.connect(port, "127.0.0.1")
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
      })
      socket.on("error", () => {})
      const answer = new Promise<string>((resolve) => {
        socket.on("close", () => resolve(text))
      })
      socket.once("connect", () => resume(Effect.succeed({ socket, answer })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** The head of a POST, ended. */
export const head = (headers: Readonly<Record<string, string>>): string =>
  [
    "POST / HTTP/1.1",
    "host: 127.0.0.1",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\r\n")
