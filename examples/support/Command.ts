/**
 * Parses command-line arguments and prints failures.
 */
import { Cause, Chunk, ConfigError, Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"

export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const parse = <A>(usage: string, read: () => A): Effect.Effect<A, UsageError> =>
  Effect.try({
    try: read,
    catch: (error) => new UsageError({ message: `${error instanceof Error ? error.message : error}\n${usage}` })
  })

/** Parses a prompt and a model. Defaults: "a red fox in snow" and flux-1.1-pro. */
export const request = parse(`Usage: npm start -- "a red fox in snow" --model flux-1.1-pro`, () =>
  parseArgs({ allowPositionals: true, options: { model: { type: "string", default: "flux-1.1-pro" } } })
).pipe(
  Effect.map(({ positionals, values }) => ({
    model: values.model,
    prompt: positionals.length === 0 ? "a red fox in snow" : positionals.join(" ")
  }))
)

const batchUsage = `Usage: npm run example:batch -- prompts.jsonl out --concurrency 20 --max-cost 5.00 --id NAME`

const usageError = (problem: string) => new UsageError({ message: `${problem}\n${batchUsage}` })

/** Quotes a word for a POSIX shell. */
const quote = (word: string) => (/^[\w./=:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

export type Batch = Effect.Effect.Success<typeof batch>

/** Parses the path of the prompts file, the results folder, and the options. */
export const batch = parse(batchUsage, () =>
  parseArgs({
    allowPositionals: true,
    options: { concurrency: { type: "string", default: "20" }, "max-cost": { type: "string" }, id: { type: "string" } }
  })
).pipe(
  Effect.flatMap(({ positionals, values }) =>
    Effect.gen(function* () {
      const { concurrency, id, "max-cost": maxCost } = values
      const [file = "examples/prompts.jsonl", folder = "out", ...more] = positionals
      if (more.length > 0)
        return yield* usageError(`Unexpected argument "${more.join(" ")}". Pass a file and a folder.`)
      if (!/^[1-9]\d{0,3}$/.test(concurrency))
        return yield* usageError("--concurrency must be a whole number from 1 to 9999.")
      if (maxCost !== undefined && !/^\d+(\.\d+)?$/.test(maxCost)) {
        return yield* usageError("--max-cost must be an amount in dollars, such as 5.00.")
      }
      if (id !== undefined && !/^[\w-]{1,100}$/.test(id)) {
        return yield* usageError('--id must be 1 to 100 letters, digits, "-" or "_".')
      }
      const words = process.argv.slice(2)
      return {
        file,
        folder,
        concurrency: Number(concurrency),
        maxCost,
        id,
        /** Command that continues this batch. */
        again: ["npm run example:batch", ...(words.length === 0 ? [] : ["--", ...words.map(quote)])].join(" ")
      }
    })
  )
)

interface Failure {
  readonly message: string
}

const messageOf = (error: Failure): string => (ConfigError.isConfigError(error) ? String(error) : error.message)

/** Describes a failure by its message, and a defect by its full cause. */
const describe = (cause: Cause.Cause<Failure>): string => {
  if (Cause.isInterruptedOnly(cause)) return "Stopped."
  const failures = Cause.failures(cause)
  return Chunk.isEmpty(failures) ? Cause.pretty(cause) : Chunk.join(Chunk.map(failures, messageOf), "\n")
}

/**
 * Prints the cause of a failed effect. Use it with the option `disableErrorReporting` of `NodeRuntime.runMain`, because
 * the runtime would otherwise report the failure again.
 */
export const printFailure = <A, E extends Failure, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onError(self, (cause) => Console.error(describe(cause)))
