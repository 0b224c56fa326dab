/**
 * Serves the simulators and the broken connections of the runtime tests on 127.0.0.1. Prints its URL.
 *
 * - `POST /simulators` starts a simulator with the options in the body, and responds with its URL.
 * - `GET /ledger?url=…` responds with the number of executions of a simulator.
 * - `/reset`, `/truncated` and `/hang` break each request or never respond.
 * - `/` and `/main.js` serve the scenarios to a browser. `POST /results` stores the results of the browser, and
 *   `GET /results` waits for these results.
 */
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Exit, Layer, Scope } from "effect"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"

const script = process.argv[2] ?? ""

const models = { "flux-1.1-pro": { duration: "100 millis", cost: "0.040", output: "image" } } as const

const faults = { dropAfter: Fault.dropAfter, moderation: Fault.apiError("CONTENT_MODERATION_REJECTED") }

interface StartOptions {
  readonly limit?: number
  readonly fault?: keyof typeof faults
}

const scope = Effect.runSync(Scope.make())
const ledgers = new Map<string, Effect.Effect<{ readonly executions: number; readonly keys: number }>>()

const start = async ({ fault, limit }: StartOptions): Promise<{ readonly url: string }> => {
  const layer = SimulatorServer.layer({
    models,
    rateLimit: limit === undefined ? false : { limit, window: "2 seconds" },
    faults: fault === undefined ? [] : [faults[fault]]
  })
  const context = await Effect.runPromise(Scope.extend(Layer.build(layer), scope))
  const { url } = Effect.runSync(Effect.provide(SimulatorServer.SimulatorServer, context))
  const { ledger } = Effect.runSync(Effect.provide(Simulator, context))
  ledgers.set(
    url,
    Effect.map(ledger, ({ executions }) => ({
      executions: executions.length,
      keys: new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size
    }))
  )
  return { url }
}

let onResults: (results: string) => void
const results = new Promise<string>((resolve) => {
  onResults = resolve
})

const readBody = async (request: Http.IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const respond = async (request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> => {
  const url = new URL(request.url ?? "/", "http://server")
  const json = (body: unknown) => response.setHeader("content-type", "application/json").end(JSON.stringify(body))
  const path = url.pathname.split("/")[1]
  switch (path) {
    case "simulators":
      json(await start(JSON.parse(await readBody(request))))
      return
    case "ledger":
      json(await Effect.runPromise(ledgers.get(url.searchParams.get("url") ?? "") ?? Effect.die("no simulator")))
      return
    case "reset":
      request.socket.resetAndDestroy()
      return
    case "truncated":
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" }).write("0123456789")
      // @effect-diagnostics-next-line globalTimers:off
      setTimeout(() => request.socket.destroySoon(), 50)
      return
    case "hang":
      return
    case "main.js":
      response.setHeader("content-type", "text/javascript").end(readFileSync(script))
      return
    case "results":
      if (request.method === "POST") onResults(await readBody(request))
      response.end(await results)
      return
    default:
      response.setHeader("content-type", "text/html").end('<script type="module" src="/main.js"></script>')
  }
}

const server = Http.createServer((request, response) => {
  respond(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
})

server.listen(0, "127.0.0.1", () => {
  const address: AddressInfo | string | null = server.address()
  process.stdout.write(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}\n`)
})

process.once("SIGTERM", () => {
  void Effect.runPromise(Scope.close(scope, Exit.void)).then(() => process.exit(0))
})
