/**
 * Provides an API server over `node:net` and `node:tls` that applies one fault. Counts requests and sockets. Each cell of
 * the matrix has a server of its own.
 */
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { type Api, countOf, type Endpoint, endpointOf, file, type Ledger, makeApi } from "./api.js"
import * as certificates from "./certificates.js"
import { type Exchange, makeExchange, writeTo } from "./exchange.js"
import { type ApiResponse, ByteReader, encodeResponse, parseHead, type RequestHead } from "./http.js"

/** Connection before its first byte. */
export interface Connection {
  readonly socket: Net.Socket
  /** Serves the API over TLS with a certificate. */
  readonly serveTls: (certificate: string) => Effect.Effect<void>
}

/** Behaviour of the server if it applies the fault. */
export interface FaultHooks {
  /** Serves healthy connections over TLS. Default: `false`. */
  readonly isTls?: boolean
  /** Indicates that only the first matching request or connection has the fault. */
  readonly isOnce: boolean
  /** Indicates that the fault needs a second server. Default: `false`. */
  readonly hasOtherOrigin?: boolean
  /** Replaces the exchanges of a connection. */
  readonly onConnection?: (connection: Connection) => Effect.Effect<void>
  /** Replaces the response to a request to the target. */
  readonly onRequest?: (exchange: Exchange) => Effect.Effect<void>
  /** Runs after the first healthy response. */
  readonly afterResponse?: (exchange: Exchange) => Effect.Effect<void>
}

/** Properties of the client that the server must consider. */
export interface ClientTraits {
  /** Lets the time limit of an attempt pass on the clock of the client. */
  readonly passLimit: Effect.Effect<void>
  /** Indicates that the transport returns a response to an upload only after it has sent all bytes. */
  readonly losesEarlyResponses: boolean
}

/** Requests with the fault. */
export interface Target {
  readonly endpoint: Endpoint
  /** Faults of connections begin after the API has executed this endpoint. Default: they begin immediately. */
  readonly after?: Endpoint
}

export interface FaultServer {
  readonly url: string
  readonly ledger: Ledger
  /** Number of requests by endpoint, including requests that were not read completely. */
  readonly received: ReadonlyMap<Endpoint, number>
  /** Returns the number of connections with a fault. */
  readonly faultyConnections: () => number
  /** Heads of the requests that the other origin has received. */
  readonly otherRequests: ReadonlyArray<string>
  /** Reports the end of the call. Continues to read after `stopReading`. */
  readonly endCall: Effect.Effect<void>
  /** Returns the number of open sockets with an incomplete exchange, and of open sockets that wait for a request. */
  readonly sockets: () => { readonly busy: number; readonly idle: number }
}

const listen = (onConnection: (socket: Net.Socket) => void): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Net.Server>((resume) => {
      const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    })
  )

/** Runs an effect for each connection, and destroys the connection after its effect. */
const listenWith = (serve: (socket: Net.Socket) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    return yield* listen((socket) => {
      socket.on("error", () => {})
      run(
        Effect.ensuring(
          serve(socket),
          Effect.sync(() => socket.destroy())
        )
      )
    })
  })

/** Starts an origin that records its requests and returns the file for each request. */
const serveOther = Effect.gen(function* () {
  const requests: Array<string> = []
  const response = encodeResponse({
    status: 200,
    headers: { "content-type": "image/png", connection: "close" },
    body: file
  })
  const host = yield* listenWith((socket) =>
    Effect.gen(function* () {
      const reader = new ByteReader(socket)
      const head = yield* reader.readUntil("\r\n\r\n")
      if (head === undefined) return
      requests.push(head)
      yield* writeTo(socket, response)
      socket.end()
      yield* reader.drain
    })
  )
  return { origin: `http://${host}`, requests }
})

const noOther: { readonly origin: string; readonly requests: ReadonlyArray<string> } = { origin: "", requests: [] }

class Server {
  readonly received = new Map<Endpoint, number>()
  readonly sockets = new Set<{ isIdle: boolean }>()
  faultyConnections = 0
  private faultyRequests = 0
  private isCallEnded = false
  private healthyResponses = 0
  private readonly exchanges: Array<Deferred.Deferred<void>> = []

  constructor(
    readonly api: Api,
    private readonly hooks: FaultHooks,
    private readonly target: Target,
    private readonly otherOrigin: string,
    private readonly client: ClientTraits
  ) {}

  /** Ends the waits of earlier and later exchanges. */
  readonly endCall: Effect.Effect<void> = Effect.suspend(() => {
    this.isCallEnded = true
    return this.supersede
  })

  /** Ends the waits of earlier exchanges. */
  private readonly supersede: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.exchanges.splice(0), (exchange) => Deferred.succeed(exchange, undefined), { discard: true })
  )

  readonly serve = (socket: Net.Socket): Effect.Effect<void> =>
    Effect.suspend(() => {
      const state = { isIdle: true }
      this.sockets.add(state)
      socket.once("close", () => this.sockets.delete(state))
      const { isTls, onConnection } = this.hooks
      if (onConnection !== undefined && this.hasConnectionFault()) {
        this.faultyConnections += 1
        state.isIdle = false
        return onConnection({ socket, serveTls: (certificate) => this.serveTls(socket, state, certificate) })
      }
      return isTls === true ? this.serveTls(socket, state, certificates.valid) : this.serveHttp(socket, state)
    })

  private hasConnectionFault(): boolean {
    const { endpoint, after } = this.target
    const isDone = this.hooks.isOnce && this.faultyConnections > 0
    const isStarted = after === undefined || countOf(this.api.ledger.executed, after) > 0
    return !isDone && isStarted && countOf(this.api.ledger.executed, endpoint) === 0
  }

  private hasRequestFault(endpoint: Endpoint): boolean {
    return endpoint === this.target.endpoint && !(this.hooks.isOnce && this.faultyRequests > 0)
  }

  private serveTls(raw: Net.Socket, state: { isIdle: boolean }, cert: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const secureContext = Tls.createSecureContext({ key: certificates.key, cert })
      const socket = new Tls.TLSSocket(raw, { isServer: true, secureContext })
      socket.on("error", () => {})
      return Effect.ensuring(
        this.serveHttp(socket, state),
        Effect.sync(() => socket.destroy())
      )
    })
  }

  private serveHttp(socket: Net.Socket, state: { isIdle: boolean }): Effect.Effect<void> {
    const reader = new ByteReader(socket)
    const loop: Effect.Effect<void> = Effect.gen(this, function* () {
      state.isIdle = true
      if (!(yield* reader.peek)) return
      state.isIdle = false
      const text = yield* reader.readUntil("\r\n\r\n")
      if (text === undefined) return
      if (yield* this.serveRequest(socket, reader, parseHead(text))) yield* loop
    })
    return loop
  }

  /** Serves a request. Returns `true` if the connection can serve another request. */
  private serveRequest(socket: Net.Socket, reader: ByteReader, head: RequestHead) {
    return Effect.gen(this, function* () {
      const { api, hooks, otherOrigin } = this
      const { passLimit } = this.client
      const endpoint = endpointOf(head)
      this.received.set(endpoint, countOf(this.received, endpoint) + 1)
      yield* this.supersede
      const superseded = yield* Deferred.make<void>()
      this.exchanges.push(superseded)
      const untilSuperseded = this.isCallEnded ? Effect.void : Deferred.await(superseded)
      // The first request of an upload has a body. The request that follows after a timeout can have none.
      const isResponseBlocked = this.client.losesEarlyResponses && this.faultyRequests === 0
      const context = { socket, reader, api, otherOrigin, isResponseBlocked, passLimit, untilSuperseded }
      const exchange = makeExchange(context, head)
      if (hooks.onRequest !== undefined && this.hasRequestFault(endpoint)) {
        this.faultyRequests += 1
        yield* hooks.onRequest(exchange)
        return true
      }
      yield* exchange.write(encodeResponse(this.withClose(yield* exchange.execute)))
      this.healthyResponses += 1
      if (this.healthyResponses === 1 && hooks.afterResponse !== undefined) yield* hooks.afterResponse(exchange)
      return hooks.onConnection === undefined
    })
  }

  /** Lets the client open a connection per request, so that the fault of a connection can affect each request. */
  private withClose(response: ApiResponse): ApiResponse {
    if (this.hooks.onConnection === undefined) return response
    return { ...response, headers: { ...response.headers, connection: "close" } }
  }
}

/**
 * Starts a server. Closes the server and its connections when the scope closes.
 */
export const serveFault = (
  hooks: FaultHooks,
  target: Target,
  client: ClientTraits
): Effect.Effect<FaultServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    let url = ""
    const other = hooks.hasOtherOrigin === true ? yield* serveOther : noOther
    const api = makeApi(() => url)
    const server = new Server(api, hooks, target, other.origin, client)
    url = `${hooks.isTls === true ? "https" : "http"}://${yield* listenWith(server.serve)}`
    return {
      url,
      ledger: api.ledger,
      received: server.received,
      faultyConnections: () => server.faultyConnections,
      otherRequests: other.requests,
      endCall: server.endCall,
      sockets: () => {
        const idle = [...server.sockets].filter(({ isIdle }) => isIdle).length
        return { busy: server.sockets.size - idle, idle }
      }
    }
  })
