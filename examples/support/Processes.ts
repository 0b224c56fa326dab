/**
 * Starts the processes of an example, and ends them when the scope closes.
 */
import * as PlatformCommand from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { Chunk, Effect, Random, type Scope, Stream } from "effect"
import { build } from "esbuild"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"

export interface Process {
  readonly pid: number
  /** Sends SIGKILL, and waits until the process has ended. */
  readonly kill: Effect.Effect<void>
  /** Waits until the process has ended. Returns the latest lines of its output. */
  readonly ended: Effect.Effect<string>
}

const maxLines = 20

const outFolder = fileURLToPath(new URL("../../out/", import.meta.url))

/**
 * Bundles a TypeScript file, because several processes start much faster from a bundle. Returns the path of the bundle.
 * Deletes the bundle when the scope closes.
 */
export const bundle = (file: URL): Effect.Effect<string, PlatformError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(outFolder, { recursive: true })
    // Node resolves the native driver from the folder of the bundle, so the folder must be in this repository.
    const folder = yield* fs.makeTempDirectoryScoped({ directory: outFolder, prefix: "bundle-" })
    const outfile = `${folder}/bundle.cjs`
    yield* Effect.promise(() =>
      build({
        entryPoints: [fileURLToPath(file)],
        outfile,
        bundle: true,
        platform: "node",
        external: ["libsql", "pg-native"]
      })
    )
    return outfile
  })

/** Runs a file in a process. `onLine` receives each printed line. Kills the process when the scope closes. */
export const start = (
  file: string,
  env: Readonly<Record<string, string>>,
  onLine: (line: string) => Effect.Effect<void>
): Effect.Effect<Process, PlatformError, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function* () {
    const command = PlatformCommand.make(process.execPath, file)
    const child = yield* PlatformCommand.start(PlatformCommand.env(command, env))
    const kill = Effect.ignore(child.kill("SIGKILL"))
    // The platform would send SIGTERM and wait. The examples show that a kill loses nothing.
    yield* Effect.addFinalizer(() => kill)
    let lines = Chunk.empty<string>()
    const read = yield* Stream.merge(child.stdout, child.stderr).pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.runForEach((line) => {
        lines = Chunk.takeRight(Chunk.append(lines, line), maxLines)
        return onLine(line)
      }),
      Effect.ignore,
      Effect.forkScoped
    )
    return { pid: child.pid, kill, ended: Effect.map(read.await, () => Chunk.join(lines, "\n")) }
  })

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/**
 * Returns an effect that returns another free port at each call. The system never assigns a port below 32768 to an
 * outgoing connection, so the port is still free when a process listens on it.
 */
export const makePorts: Effect.Effect<Effect.Effect<number>> = Effect.map(
  Random.nextIntBetween(20_000, 30_000),
  (first) => {
    let port = first
    return Effect.repeat(
      Effect.suspend(() => Effect.map(isFree(++port), (free) => ({ free, port }))),
      { until: ({ free }) => free }
    ).pipe(Effect.map(({ port }) => port))
  }
)
