/**
 * The processes of the demo. Each process runs `app.ts`.
 */
import { Array, Data, Deferred, Effect, Ref } from "effect"
import * as Processes from "../support/Processes.js"

export interface App {
  readonly name: string
  readonly role: "worker" | "web" | "single"
  readonly pid: number
  readonly state: "starting" | "running" | "killed"
  /** Waits until the process runs. Fails when any process ends unexpectedly. */
  readonly started: Effect.Effect<void, EndedUnexpectedly>
  readonly kill: Effect.Effect<void>
}

/** A process has ended although the demo did not kill it. */
export class EndedUnexpectedly extends Data.TaggedError("EndedUnexpectedly")<{ readonly message: string }> {}

/** `env` contains the environment variables of all processes. The processes end when the scope closes. */
export const make = (env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const file = yield* Processes.bundle(new URL("./app.ts", import.meta.url))
    const apps = yield* Ref.make<ReadonlyArray<App>>([])
    const crash = yield* Deferred.make<never, EndedUnexpectedly>()
    const setState = (name: string, state: App["state"]) =>
      Ref.update(
        apps,
        Array.map((app) => (app.name === name ? { ...app, state } : app))
      )

    /** Reports the end of a process, unless the process was killed. */
    const reportEnd = (name: string, ended: Effect.Effect<string>) =>
      Effect.gen(function* () {
        const output = yield* ended
        const isKilled = (yield* apps).some((app) => app.name === name && app.state === "killed")
        if (isKilled) return
        yield* Deferred.fail(crash, new EndedUnexpectedly({ message: `${name} has ended unexpectedly.\n${output}` }))
      })

    const start = (role: App["role"], variables: Readonly<Record<string, string>>) =>
      Effect.gen(function* () {
        const name = `${role} ${(yield* apps).filter((app) => app.role === role).length + 1}`
        const started = yield* Deferred.make<void>()
        const onLine = (line: string) =>
          line.includes("Started")
            ? Effect.zipRight(setState(name, "running"), Deferred.succeed(started, undefined))
            : Effect.void
        const child = yield* Processes.start(file, { ...env, ...variables, ROLE: role, NAME: name }, onLine)
        const app: App = {
          name,
          role,
          pid: child.pid,
          state: "starting",
          started: Effect.raceFirst(Deferred.await(started), Deferred.await(crash)),
          kill: Effect.zipRight(setState(name, "killed"), child.kill)
        }
        yield* Ref.update(apps, Array.append(app))
        yield* Effect.forkScoped(reportEnd(name, child.ended))
        return app
      })

    return {
      start,
      /** Returns the processes in the order of their start. */
      all: Ref.get(apps),
      /** Fails when a process ends that was not killed. Never succeeds. */
      crash: Deferred.await(crash)
    }
  })
