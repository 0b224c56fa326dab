/**
 * Shows the processes and the progress of the demo. Redraws a table on a terminal. On other outputs, prints a line every
 * 5 seconds.
 */
import * as Terminal from "@effect/platform/Terminal"
import { Console, Effect, Schedule } from "effect"
import type { App } from "./Apps.js"

export interface Progress {
  readonly apps: ReadonlyArray<App>
  /** Returns the number of requests that a process has sent to the API. */
  readonly requestsOf: (name: string) => number
  readonly total: number
  readonly submitted: number
  readonly done: number
  readonly seconds: number
}

/** Returns the progress in one line. */
export const formatLine = ({ done, seconds, submitted, total }: Progress): string =>
  `${seconds} s: ${submitted} of ${total} submitted, ${submitted - done} waiting, ${done} done`

const row = (name: string, pid: string, state: string, requests: string) =>
  `${name.padEnd(10)} ${pid.padStart(8)}  ${state.padEnd(8)} ${requests.padStart(8)}`

/** Returns the lines of the table. */
export const formatTable = (progress: Progress): ReadonlyArray<string> => [
  row("process", "pid", "state", "requests"),
  ...progress.apps.map(({ name, pid, state }) => row(name, String(pid), state, String(progress.requestsOf(name)))),
  "",
  formatLine(progress)
]

/** Shows the progress until the scope closes. Returns a function that prints a line above the table. */
export const show = <R>(progress: Effect.Effect<Progress, never, R>) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const isDrawn = yield* terminal.isTTY
    if (!isDrawn) {
      const print = Effect.flatMap(progress, (current) => Console.log(formatLine(current)))
      yield* Effect.addFinalizer(() => print)
      yield* Effect.forkScoped(Effect.delay(Effect.repeat(print, Schedule.spaced("5 seconds")), "5 seconds"))
      return Console.log
    }
    const drawing = Effect.unsafeMakeSemaphore(1)
    let height = 0
    const redraw = (text: string) =>
      Effect.flatMap(progress, (current) => {
        const lines = formatTable(current)
        const erase = height === 0 ? "" : `\u001b[${height}A\u001b[J`
        height = lines.length
        return terminal.display(`${erase}${text}${lines.join("\n")}\n`)
      }).pipe(drawing.withPermits(1), Effect.orDie)
    yield* Effect.addFinalizer(() => redraw(""))
    yield* Effect.forkScoped(Effect.repeat(redraw(""), Schedule.spaced("200 millis")))
    return (line: string) => redraw(`${line}\n`)
  })
