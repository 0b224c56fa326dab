/** Provides an HTTP server on a free local port. The server records requests and responds as the test specifies. */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface ReceivedRequest {
  readonly url: string
  readonly headers: Http.IncomingHttpHeaders
}

export interface Server {
  readonly url: string
  readonly received: ReadonlyArray<ReceivedRequest>
}

/** Starts a server. Closes the server and its connections when the scope closes. */
export const serve = (
  respond: (response: Http.ServerResponse, request: Http.IncomingMessage) => void
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Http.Server; readonly received: Array<ReceivedRequest> }>((resume) => {
      const received: Array<ReceivedRequest> = []
      const server = Http.createServer((request, response) => {
        received.push({ url: request.url ?? "", headers: request.headers })
        request.resume()
        respond(response, request)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, received })))
    }),
    ({ server }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(
    Effect.map(({ received, server }) => {
      const address: AddressInfo | string | null = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      return { url: `http://127.0.0.1:${port}`, received }
    })
  )
