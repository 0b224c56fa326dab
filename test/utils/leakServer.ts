/** Provides a cheap server of the API and of its storage for the leak tests. It counts its open requests. */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { seededRandom } from "./seededRandom.js"

export interface LeakServer {
  readonly url: string
  /** Returns the number of requests without a complete response and an open connection. */
  readonly openRequests: () => number
  readonly openConnections: Effect.Effect<number>
  readonly requests: () => number
}

const chunk = Buffer.alloc(16 * 1024, 7)
const chunksPerFile = 6

const json = (response: Http.ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

const id = "exec_1"

/** Sends a file in several chunks, so that an interruption can happen during the body. */
const sendFile = (response: Http.ServerResponse): void => {
  response.writeHead(200, { "content-type": "image/png", "content-length": chunk.length * chunksPerFile })
  let left = chunksPerFile
  const next = (): void => {
    if (response.destroyed) return
    left -= 1
    if (left === 0) response.end(chunk)
    else response.write(chunk, () => setImmediate(next))
  }
  next()
}

const respond = (origin: string, request: Http.IncomingMessage, response: Http.ServerResponse, n: number): void => {
  const path = request.url ?? ""
  if (path === "/v1/executions") return json(response, 202, { id, status: "PENDING", model: "m" })
  if (path.endsWith("/result")) return json(response, 200, { execution_id: id, status: "COMPLETED", output: {} })
  if (path.startsWith("/v1/executions/")) {
    const isCompleted = n % 2 === 0
    return json(response, 200, {
      id,
      status: isCompleted ? "COMPLETED" : "PROCESSING",
      ...(isCompleted ? { output: {} } : {})
    })
  }
  if (path === "/v1/files/upload") return json(response, 200, { file_id: "file_1", upload_url: `${origin}/storage` })
  if (path.endsWith("/download")) return json(response, 200, { url: `${origin}/storage` })
  if (path === "/storage" && request.method === "GET") return sendFile(response)
  json(response, 200, {})
}

/**
 * Starts the server on a free local port. Some responses are late, some are errors, and some connections break. The seed
 * selects these requests.
 */
export const serveForLeaks = (seed: number): Effect.Effect<LeakServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Http.Server; readonly counts: { open: number; all: number } }>((resume) => {
      const counts = { open: 0, all: 0 }
      const random = seededRandom(seed)
      const server = Http.createServer((request, response) => {
        counts.open += 1
        const n = (counts.all += 1)
        response.once("close", () => (counts.open -= 1))
        request.on("error", () => {})
        const chance = random()
        const answer = () => {
          if (response.destroyed) return
          if (chance < 0.02) response.destroy()
          else if (chance < 0.06) json(response, 503, { error: { code: "SERVICE_UNAVAILABLE", message: "busy" } })
          else respond(`http://${request.headers.host}`, request, response, n)
        }
        request.once("end", () => {
          // @effect-diagnostics-next-line globalTimers:off
          if (random() < 0.5) setTimeout(answer, 4 * random())
          else answer()
        })
        request.resume()
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, counts })))
    }),
    ({ server }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(
    Effect.map(({ counts, server }) => {
      const address: AddressInfo | string | null = server.address()
      return {
        url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
        openRequests: () => counts.open,
        openConnections: Effect.async<number>((resume) => {
          server.getConnections((_, count) => resume(Effect.succeed(count)))
        }),
        requests: () => counts.all
      }
    })
  )
