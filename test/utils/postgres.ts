/** Provides PostgreSQL databases for tests. Skips the tests if no server accepts connections. */
import { createConnection, createServer, type Socket } from "node:net"
import type * as SqlClient from "@effect/sql/SqlClient"
import { afterAll, inject } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { clientOf, makeDatabase } from "./postgresServer.js"

declare module "vitest" {
  interface ProvidedContext {
    /** URL of the server, and the reason if the server is not available. */
    readonly postgres: { readonly url: string; readonly reason: string | undefined }
  }
}

const { reason, url } = inject("postgres")

/** URL of the server. */
export const serverUrl: string = url

export { clientOf }

/** `true` if no server accepts connections. */
export const isSkipped: boolean = reason !== undefined

/** Name for a group of tests. Contains the reason if the tests are skipped. */
export const suiteName: string = isSkipped ? `PostgreSQL (skipped: ${reason})` : "PostgreSQL"

/** Creates an empty database. Drops the database when the scope closes. Returns its URL. */
export const database: Effect.Effect<string, never, Scope.Scope> = makeDatabase(serverUrl)

/** Returns the URL of a database for the tests of a file. Creates the database on first use. */
export const useDatabase = (): Effect.Effect<string> => {
  const scope = Effect.runSync(Scope.make())
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.runSync(Effect.cached(Scope.extend(database, scope)))
}

/** Provides a client for the database of a URL. */
export const clientWith = (url: Effect.Effect<string>): Layer.Layer<SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.map(url, (each) => clientOf(each)))

export interface Proxy {
  /** URL of the database through the proxy. */
  readonly url: string
  /** Closes all connections and refuses new ones. A client sees a server that has stopped. */
  readonly stop: Effect.Effect<void>
  /** Accepts connections again. */
  readonly start: Effect.Effect<void>
}

/** Forwards connections to the server of a URL until the scope closes. */
export const makeProxy = (url: string): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = new URL(url)
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const upstream = createConnection({ host: target.hostname, port: Number(target.port || 5432) })
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on("error", () => socket.destroy())
        socket.on("close", () => {
          sockets.delete(socket)
          client.destroy()
          upstream.destroy()
        })
      }
      client.pipe(upstream).pipe(client)
    })
    const listen = (port: number) =>
      Effect.async<number>((resume) => {
        server.listen(port, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
        })
      })
    const stop = Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      for (const socket of sockets) socket.destroy()
    })
    const port = yield* Effect.acquireRelease(listen(0), () => stop)
    const proxied = Object.assign(new URL(url), { hostname: "127.0.0.1", port: String(port) })
    return { url: proxied.href, stop, start: Effect.asVoid(Effect.suspend(() => listen(port))) }
  })
