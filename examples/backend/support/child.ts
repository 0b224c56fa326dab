/** Runs the backend in a child process that tests can stop, kill and measure. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

export interface Child {
  readonly url: string
  readonly signal: (signal: "SIGINT" | "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  /** Waits until the process exits. Returns the exit code or the signal. */
  readonly ended: Effect.Effect<number | string>
  /** Returns the text that the process has printed to its standard output. */
  readonly output: Effect.Effect<string>
  /** Returns the heap size in bytes after a garbage collection. Requires `measured.ts`. */
  readonly heap: Effect.Effect<number>
}

const waitForUrl = (child: ChildProcess, output: () => string): Effect.Effect<string> =>
  Effect.async((resume) => {
    child.stdout?.on("data", () => {
      const [, url] = /Listening on (\S+)\. /.exec(output()) ?? []
      if (url !== undefined) resume(Effect.succeed(url))
    })
    child.once("exit", () => resume(Effect.dieMessage(`the backend did not start: ${output()}`)))
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
      let text = ""
      child.stdout?.on("data", (chunk) => {
        text += String(chunk)
      })
      const ended = new Promise<number | string>((resolve) => {
        // The output is complete at `close`, which follows `exit`.
        child.once("close", (code, signal) => resolve(code ?? signal ?? ""))
      })
      return { child, output: () => text, ended: Effect.promise(() => ended) }
    }),
    ({ child, ended }) =>
      Effect.zipRight(
        Effect.sync(() => child.kill("SIGKILL")),
        ended
      )
  ).pipe(
    Effect.flatMap(({ child, ended, output }) =>
      Effect.map(waitForUrl(child, output), (url) => ({
        url,
        output: Effect.sync(output),
        ended,
        signal: (signal) => Effect.sync(() => void child.kill(signal)),
        heap: Effect.async((resume) => {
          child.once("message", (bytes) => resume(Effect.succeed(Number(bytes))))
          child.send("heap")
        })
      }))
    )
  )
