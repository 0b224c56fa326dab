/** Runs the backend in a child process that tests can stop, kill and measure. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

export interface Child {
  readonly url: string
  readonly signal: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  /** Waits until the process exits. Returns the exit code or the signal. */
  readonly ended: Effect.Effect<number | string>
  /** Returns the heap size in bytes after a garbage collection. Requires `measured.ts`. */
  readonly heap: Effect.Effect<number>
}

const waitForUrl = (child: ChildProcess): Effect.Effect<string> =>
  Effect.async((resume) => {
    let text = ""
    child.stdout?.on("data", (chunk) => {
      text += String(chunk)
      const [, url] = /Listening on (\S+)\. /.exec(text) ?? []
      if (url !== undefined) resume(Effect.succeed(url))
    })
    child.once("exit", () => resume(Effect.dieMessage(`the backend did not start: ${text}`)))
  })

export const spawnBackend = (
  script: "main.ts" | "support/measured.ts",
  variables: Readonly<Record<string, string>>
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = fork(fileURLToPath(new URL(`../${script}`, import.meta.url)), {
        execArgv: ["--expose-gc", "--import", "tsx"],
        env: { PATH: "", PORT: "0", LOG_LEVEL: "OFF", ...variables },
        stdio: ["ignore", "pipe", "inherit", "ipc"]
      })
      const ended = new Promise<number | string>((resolve) => {
        child.once("exit", (code, signal) => resolve(code ?? signal ?? ""))
      })
      return { child, ended: Effect.promise(() => ended) }
    }),
    ({ child, ended }) =>
      Effect.zipRight(
        Effect.sync(() => child.kill("SIGKILL")),
        ended
      )
  ).pipe(
    Effect.flatMap(({ child, ended }) =>
      Effect.map(waitForUrl(child), (url) => ({
        url,
        ended,
        signal: (signal) => Effect.sync(() => void child.kill(signal)),
        heap: Effect.async((resume) => {
          child.once("message", (bytes) => resume(Effect.succeed(Number(bytes))))
          child.send("heap")
        })
      }))
    )
  )
