/**
 * Draws a status line at the bottom of a terminal and refreshes it periodically. Printed text appears above the line.
 */
import * as Terminal from "@effect/platform/Terminal"
import { type Duration, Effect, Schedule, type Scope } from "effect"

export interface LiveLine {
  /** `false` if the output is not a terminal. The status line is then not drawn. */
  readonly isDrawn: boolean
  readonly unsafePrint: (text: string) => void
}

const eraseLine = "\r\u001b[2K"

/** Draws `content` in the width of the terminal at the interval `every`. Erases the line when the scope closes. */
export const make = (
  content: (width: number) => Effect.Effect<string>,
  every: Duration.DurationInput
): Effect.Effect<LiveLine, never, Scope.Scope | Terminal.Terminal> =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const console = yield* Effect.console
    const isDrawn = yield* terminal.isTTY

    const draw = Effect.gen(function* () {
      // The escape sequence erases only one line of the terminal.
      const width = ((yield* terminal.columns) || 80) - 1
      yield* terminal.display(eraseLine + (yield* content(width)).slice(0, width))
    })

    if (isDrawn) {
      yield* Effect.addFinalizer(() => Effect.ignore(terminal.display(eraseLine)))
      yield* Effect.forkScoped(Effect.repeat(draw, Schedule.spaced(every)))
    }
    return { isDrawn, unsafePrint: (text) => console.unsafe.log(isDrawn ? eraseLine + text : text) }
  })
