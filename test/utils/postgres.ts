/** Starts a PostgreSQL server for a test if PostgreSQL is installed. */
import { spawn, spawnSync } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

interface Programs {
  readonly folder: string
  /** User that runs the server. Required for a test that runs as root, because PostgreSQL refuses to run as root. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

const debianFolder = "/usr/lib/postgresql"

const folders = (path: string): ReadonlyArray<string> => [
  ...(existsSync(debianFolder) ? readdirSync(debianFolder).map((version) => join(debianFolder, version, "bin")) : []),
  ...path.split(delimiter)
]

const idOf = (flag: string): number => {
  const { status, stdout } = spawnSync("id", [flag, "postgres"], { encoding: "utf8" })
  return status === 0 ? Number(stdout) : Number.NaN
}

/**
 * Finds the PostgreSQL programs in the folders of Debian packages and in `path`. Returns a reason if PostgreSQL cannot
 * run.
 */
export const find = (path: string): Programs | string => {
  const folder = folders(path).find((each) => ["initdb", "postgres"].every((name) => existsSync(join(each, name))))
  if (folder === undefined) return "initdb is not installed"
  if (process.getuid?.() !== 0) return { folder, user: undefined }
  const user = { uid: idOf("-u"), gid: idOf("-g") }
  return Number.isNaN(user.uid + user.gid) ? "the user postgres does not exist" : { folder, user }
}

export interface Server {
  /** Folder of the socket. */
  readonly host: string
  readonly username: string
  /** Stops the server before its scope closes. */
  readonly stop: Effect.Effect<void>
}

/** Starts a server without disk synchronization. Stops the server and deletes its data when the scope closes. */
export const start = ({ folder, user }: Programs): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Server & { readonly home: string }>((resume) => {
      const home = mkdtempSync(join(tmpdir(), "modelroute-pg-"))
      if (user !== undefined) chownSync(home, user.uid, user.gid)
      const data = join(home, "data")
      const options = { cwd: home, ...user }
      const made = spawnSync(
        join(folder, "initdb"),
        ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"],
        { ...options, encoding: "utf8" }
      )
      if (made.status !== 0) return resume(Effect.dieMessage(`initdb: ${made.stderr}`))
      const settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses="]
      const child = spawn(
        join(folder, "postgres"),
        ["-D", data, "-k", home, ...settings.flatMap((setting) => ["-c", setting])],
        { ...options, stdio: ["ignore", "ignore", "pipe"] }
      )
      const ended = new Promise<void>((resolve) => {
        child.once("exit", () => resolve())
      })
      const stop = Effect.promise(() => {
        // SIGINT does not wait for connected clients, unlike SIGTERM.
        child.kill("SIGINT")
        return ended
      })
      let log = ""
      child.stderr.on("data", (chunk) => {
        log += String(chunk)
        if (log.includes("ready to accept connections")) {
          resume(Effect.succeed({ host: home, username: "postgres", stop, home }))
        }
      })
      child.once("exit", () => resume(Effect.dieMessage(`postgres: ${log}`)))
    }),
    ({ home, stop }) =>
      Effect.zipRight(
        stop,
        Effect.sync(() => rmSync(home, { recursive: true }))
      )
  )
