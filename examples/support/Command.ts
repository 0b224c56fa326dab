/**
 * The two ends of a command: its arguments, and what it says when it does not succeed.
 */
import { Cause, Chunk, ConfigError, Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"

const usage = `Usage: npm start -- "a red fox in snow" --model flux-1.1-pro`

export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** A prompt and a model, each with a default. */
export const request = Effect.try({
  try: () => parseArgs({ allowPositionals: true, options: { model: { type: "string", default: "flux-1.1-pro" } } }),
  catch: (error) => new UsageError({ message: `${error instanceof Error ? error.message : error}\n${usage}` })
}).pipe(
  Effect.map(({ positionals, values }) => ({
    model: values.model,
    prompt: positionals.length === 0 ? "a red fox in snow" : positionals.join(" ")
  }))
)

interface Failure {
  readonly message: string
}

const inWords = (error: Failure): string => (ConfigError.isConfigError(error) ? String(error) : error.message)

/** A failure in its own words, an interruption in one, a defect with all that is known about it. */
const lastWords = (cause: Cause.Cause<Failure>): string => {
  if (Cause.isInterruptedOnly(cause)) return "Stopped."
  const failures = Cause.failures(cause)
  return Chunk.isEmpty(failures) ? Cause.pretty(cause) : Chunk.join(Chunk.map(failures, inWords), "\n")
}

/** For `NodeRuntime.runMain` with `disableErrorReporting`: the exit code is its affair, the words are ours. */
export const explained = <A, E extends Failure, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onError(self, (cause) => Console.error(lastWords(cause)))
