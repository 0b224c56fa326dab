/**
 * The two ends of a command: its arguments, and what it says when it does not succeed.
 */
import { Cause, Chunk, ConfigError, Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"

export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const parsed = <A>(usage: string, parse: () => A): Effect.Effect<A, UsageError> =>
  Effect.try({
    try: parse,
    catch: (error) => new UsageError({ message: `${error instanceof Error ? error.message : error}\n${usage}` })
  })

/** A prompt and a model, each with a default. */
export const request = parsed(`Usage: npm start -- "a red fox in snow" --model flux-1.1-pro`, () =>
  parseArgs({ allowPositionals: true, options: { model: { type: "string", default: "flux-1.1-pro" } } })
).pipe(
  Effect.map(({ positionals, values }) => ({
    model: values.model,
    prompt: positionals.length === 0 ? "a red fox in snow" : positionals.join(" ")
  }))
)

const batchUsage = `Usage: npm run example:batch -- prompts.jsonl out --concurrency 20 --max-cost 5.00 --id NAME`

const wrong = (what: string) => new UsageError({ message: `${what}\n${batchUsage}` })

/** As a shell takes it. */
const quoted = (word: string) => (/^[\w./=:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

export type Batch = Effect.Effect.Success<typeof batch>

/** A file of prompts, a folder for the results, and options. */
export const batch = parsed(batchUsage, () =>
  parseArgs({
    allowPositionals: true,
    options: { concurrency: { type: "string", default: "20" }, "max-cost": { type: "string" }, id: { type: "string" } }
  })
).pipe(
  Effect.flatMap(({ positionals, values }) =>
    Effect.gen(function* () {
      const { concurrency, id, "max-cost": maxCost } = values
      const [file = "examples/prompts.jsonl", folder = "out", ...more] = positionals
      if (more.length > 0) return yield* wrong(`What is "${more.join(" ")}" for? A file and a folder are all it takes.`)
      if (!/^[1-9]\d{0,3}$/.test(concurrency)) return yield* wrong("--concurrency is a whole number from 1 to 9999.")
      if (maxCost !== undefined && !/^\d+(\.\d+)?$/.test(maxCost)) {
        return yield* wrong("--max-cost is an amount of dollars, such as 5.00.")
      }
      if (id !== undefined && !/^[\w-]{1,100}$/.test(id)) {
        return yield* wrong('--id is 1 to 100 letters, digits, "-" and "_".')
      }
      const words = process.argv.slice(2)
      return {
        file,
        folder,
        concurrency: Number(concurrency),
        maxCost,
        id,
        /** The command as it was given. */
        again: ["npm run example:batch", ...(words.length === 0 ? [] : ["--", ...words.map(quoted)])].join(" ")
      }
    })
  )
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
