/**
 * The last line of a terminal, drawn anew as time passes. What is printed meanwhile goes above it.
 */
import * as Terminal from "@effect/platform/Terminal"
import { type Duration, Effect, Schedule, type Scope } from "effect"

export interface LiveLine {
  /** False where the output is no terminal: then nothing is drawn, and lines are printed as they are. */
  readonly isDrawn: boolean
  readonly unsafePrint: (text: string) => void
}

const eraseLine = "\r\u001b[2K"

/** Draws what `content` gives for a width, so often, until the scope closes; then erases it. */
export const make = (
  content: (width: number) => Effect.Effect<string>,
  every: Duration.DurationInput
): Effect.Effect<LiveLine, never, Scope.Scope | Terminal.Terminal> =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const console = yield* Effect.console
    const isDrawn = yield* terminal.isTTY

    const draw = Effect.gen(function* () {
      // A line that is longer than the terminal is wide could not be erased.
      const width = ((yield* terminal.columns) || 80) - 1
      yield* terminal.display(eraseLine + (yield* content(width)).slice(0, width))
    })

    if (isDrawn) {
      yield* Effect.addFinalizer(() => Effect.ignore(terminal.display(eraseLine)))
      yield* Effect.forkScoped(Effect.repeat(draw, Schedule.spaced(every)))
    }
    return { isDrawn, unsafePrint: (text) => console.unsafe.log(isDrawn ? eraseLine + text : text) }
  })
