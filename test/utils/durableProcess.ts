/** Bundles, starts and ends the worker processes of the tests of durable executions. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Deferred, Effect, FiberId, Schema, type Scope } from "effect"
import * as esbuild from "esbuild"
import { WorkerArgumentsText, type WorkerArguments, type WorkerLine, WorkerLineText } from "./durableWorkerLines.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Provides a temporary folder. Deletes the folder when the scope closes. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "modelroute-durable-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/**
 * Bundles a worker of `test/utils` into one file of `folder`. Loading the separate modules takes several seconds of CPU time.
 * Packages with native code remain separate.
 */
export const bundleWorker = (folder: string, worker = "durableWorker"): Effect.Effect<string> =>
  Effect.promise(async () => {
    const outfile = join(folder, `${worker}.mjs`)
    await esbuild.build({
      entryPoints: [join(root, `test/utils/${worker}.ts`)],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      tsconfig: join(root, "tsconfig.json"),
      external: ["pg-native"],
      banner: {
        js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(join(root, "package.json"))});`
      },
      logLevel: "error"
    })
    // The service of esbuild would keep this process alive.
    await esbuild.stop()
    return outfile
  })

/** First and last port of the search. The range is below the ephemeral ports of Linux. */
const [firstPort, lastPort] = [20_000, 32_000] as const

const isFree = (port: number) =>
  Effect.async<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** Returns a port that is free and that the operating system does not assign to outgoing connections. */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort))
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

type Usage = Extract<WorkerLine, { readonly _tag: "Usage" }>

export interface Worker {
  readonly pid: number
  /** Completes when the worker has built its layers. */
  readonly ready: Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<void>
  /** Returns the latest usage. */
  readonly usage: () => Usage | undefined
  /** Returns the output of the process, except its `WorkerLine`s. */
  readonly log: () => string
}

const decodeLine = Schema.decodeUnknownSync(WorkerLineText)

/** Starts a worker. Kills the worker when the scope closes. `onEnded` receives the ends of durable executions. */
export const startWorker = (
  script: string,
  workerArguments: WorkerArguments,
  onEnded: (id: string, outcome: string) => void = () => {}
): Effect.Effect<Worker, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const text = Schema.encodeSync(WorkerArgumentsText)(workerArguments)
      const child = spawn(process.execPath, ["--enable-source-maps", "--expose-gc", script, text], {
        stdio: ["ignore", "pipe", "pipe"]
      })
      const isReady = Deferred.unsafeMake<void>(FiberId.none)
      let usage: Usage | undefined
      let [rest, log] = ["", ""]
      const onLine = (text: string) => {
        if (!text.startsWith(`{"_tag"`)) return void (log += `${text}\n`)
        const line = decodeLine(text)
        if (line._tag === "Ready") Deferred.unsafeDone(isReady, Effect.void)
        if (line._tag === "Usage") usage = line
        if (line._tag === "Ended") onEnded(line.id, line.outcome)
      }
      child.stdout.on("data", (chunk) => {
        const lines = `${rest}${String(chunk)}`.split("\n")
        rest = lines.pop() ?? ""
        lines.forEach(onLine)
      })
      child.stderr.on("data", (chunk) => (log += String(chunk)))
      const end = new Promise<void>((resolve) => {
        child.once("close", () => resolve())
      })
      return {
        pid: child.pid ?? 0,
        ready: Deferred.await(isReady),
        signal: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
        exited: Effect.promise(() => end),
        usage: () => usage,
        log: () => log
      }
    }),
    ({ exited, signal }) => Effect.zipRight(signal("SIGKILL"), exited)
  )
