/**
 * Parses command-line arguments and prints failures.
 */
import { Cause, Chunk, ConfigError, Console, Data, Effect } from "effect"
import { parseArgs } from "node:util"
import { wrap } from "./Text.js"

/** The command has the option `--help`. `message` is the usage. */
export class HelpRequested extends Data.TaggedError("HelpRequested")<{ readonly message: string }> {}

/** An argument is wrong. `message` contains the usage. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const makeUsageError =
  (usage: string) =>
  (problem: string): UsageError =>
    new UsageError({ message: `${wrap(problem)}\n\n${usage}` })

const help = { type: "boolean", default: false } as const

/** Parses arguments with `read`. Fails with `HelpRequested` if they contain `--help`. */
const parse = <A extends { readonly values: { readonly help: boolean } }>(
  usage: string,
  read: () => A
): Effect.Effect<A, HelpRequested | UsageError> =>
  Effect.try({
    try: read,
    // Only the first sentence describes the problem.
    catch: (error) => makeUsageError(usage)(`${String(error instanceof Error ? error.message : error).split(". ")[0]}.`)
  }).pipe(
    Effect.filterOrFail(
      ({ values }) => !values.help,
      () => new HelpRequested({ message: usage })
    )
  )

const requestUsage = `Usage: npm start -- [PROMPT] [--model MODEL]

Creates one image and saves it in the folder out.

  PROMPT           default: a red fox in snow
  --model MODEL    default: flux-1.1-pro
  --help           prints this text

If MODELROUTE_API_KEY is set, the program calls the real API, which costs
money. Otherwise, it starts a simulator on a free local port.`

/** Parses a prompt and a model. Defaults: "a red fox in snow" and flux-1.1-pro. */
export const request = (args: ReadonlyArray<string>) =>
  parse(requestUsage, () =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { model: { type: "string", default: "flux-1.1-pro" }, help }
    })
  ).pipe(
    Effect.map(({ positionals, values }) => ({
      model: values.model,
      prompt: positionals.length === 0 ? "a red fox in snow" : positionals.join(" ")
    }))
  )

const simulatorUsage = `Usage: npm run simulator -- [OPTIONS]

Serves a simulator of the ModelRoute API until Ctrl-C.

  --port 8787         0 selects a free port
  --host 127.0.0.1
  --balance 100.00    dollars
  --rate-limit 60     requests per minute, 0 for no limit
  --download json     the response to /download: json, bytes or redirect
  --faults 0          the probability of a fault per request, 0 to 1
  --seed 1            determines the ids and the faults
  --help              prints this text`

const isDownload = (text: string): text is "json" | "bytes" | "redirect" => /^(json|bytes|redirect)$/.test(text)

const isWholeNumber = (text: string, maximum: number) => /^\d+$/.test(text) && Number(text) <= maximum

/** Parses the options of the simulator. */
export const simulator = (args: ReadonlyArray<string>) =>
  parse(simulatorUsage, () =>
    parseArgs({
      args: [...args],
      options: {
        port: { type: "string", default: "8787" },
        host: { type: "string", default: "127.0.0.1" },
        balance: { type: "string", default: "100.00" },
        "rate-limit": { type: "string", default: "60" },
        download: { type: "string", default: "json" },
        faults: { type: "string", default: "0" },
        seed: { type: "string", default: "1" },
        help
      }
    })
  ).pipe(
    Effect.flatMap(({ values }) => {
      const { balance, download, faults, host, port, "rate-limit": rateLimit, seed } = values
      const fail = (problem: string) => Effect.fail(makeUsageError(simulatorUsage)(problem))
      if (!isWholeNumber(port, 65_535)) return fail(`--port must be a whole number from 0 to 65535, not "${port}".`)
      if (!/^\d+(\.\d{1,6})?$/.test(balance)) {
        return fail(`--balance must be an amount in dollars, such as 5.00, not "${balance}".`)
      }
      if (!isWholeNumber(rateLimit, 1_000_000)) {
        return fail(`--rate-limit must be a whole number from 0 to 1000000, not "${rateLimit}".`)
      }
      if (!isDownload(download)) return fail(`--download must be json, bytes or redirect, not "${download}".`)
      if (!/^(0(\.\d+)?|1(\.0+)?)$/.test(faults)) return fail(`--faults must be a number from 0 to 1, not "${faults}".`)
      if (!isWholeNumber(seed, 1_000_000_000)) {
        return fail(`--seed must be a whole number from 0 to 1000000000, not "${seed}".`)
      }
      return Effect.succeed({
        port: Number(port),
        host,
        balance,
        rateLimit: Number(rateLimit),
        download,
        faults: Number(faults),
        seed: Number(seed)
      })
    })
  )

const batchUsage = `Usage: npm run example:batch -- [FILE] [FOLDER] [OPTIONS]

Submits one execution for each line of FILE and saves the results in FOLDER.

  FILE                default: examples/prompts.jsonl
  FOLDER              default: out
  --concurrency 20    executions at the same time
  --max-cost 5.00     dollars. Default: no limit
  --id NAME           name of the batch. Default: the batch in FOLDER
  --help              prints this text`

const batchError = makeUsageError(batchUsage)

/** Quotes a word for a POSIX shell. */
const quote = (word: string) => (/^[\w./=:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

export type Batch = Effect.Effect.Success<ReturnType<typeof batch>>

/** Parses the path of the prompts file, the results folder, and the options. */
export const batch = (args: ReadonlyArray<string>) =>
  parse(batchUsage, () =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        concurrency: { type: "string", default: "20" },
        "max-cost": { type: "string" },
        id: { type: "string" },
        help
      }
    })
  ).pipe(
    Effect.flatMap(({ positionals, values }) =>
      Effect.gen(function* () {
        const { concurrency, id, "max-cost": maxCost } = values
        const [file = "examples/prompts.jsonl", folder = "out", ...more] = positionals
        if (more.length > 0)
          return yield* batchError(`Unexpected argument "${more.join(" ")}". Pass a file and a folder.`)
        if (!/^[1-9]\d{0,3}$/.test(concurrency)) {
          return yield* batchError("--concurrency must be a whole number from 1 to 9999.")
        }
        if (maxCost !== undefined && !/^\d+(\.\d+)?$/.test(maxCost)) {
          return yield* batchError("--max-cost must be an amount in dollars, such as 5.00.")
        }
        if (id !== undefined && !/^[\w-]{1,100}$/.test(id)) {
          return yield* batchError('--id must be 1 to 100 letters, digits, "-" or "_".')
        }
        return {
          file,
          folder,
          concurrency: Number(concurrency),
          maxCost,
          id,
          /** Command that continues this batch. */
          again: ["npm run example:batch", ...(args.length === 0 ? [] : ["--", ...args.map(quote)])].join(" ")
        }
      })
    )
  )

const durableUsage = `Usage: npm run example:durable -- [OPTIONS]

Runs durable executions in several processes, and kills one of them.

  --engine NAME        postgres or sqlite. Default: postgres if a server
                       answers at DATABASE_URL or at 127.0.0.1:5432
  --executions 200     1 to 1000
  --help               prints this text`

const isEngine = (text: string): text is "postgres" | "sqlite" => /^(postgres|sqlite)$/.test(text)

/** Parses the options of the demo of durable executions. */
export const durable = (args: ReadonlyArray<string>) =>
  parse(durableUsage, () =>
    parseArgs({
      args: [...args],
      options: { engine: { type: "string" }, executions: { type: "string", default: "200" }, help }
    })
  ).pipe(
    Effect.flatMap(({ values: { engine, executions } }) => {
      const fail = (problem: string) => Effect.fail(makeUsageError(durableUsage)(problem))
      if (engine !== undefined && !isEngine(engine)) {
        return fail(`--engine must be postgres or sqlite, not "${engine}".`)
      }
      if (!isWholeNumber(executions, 1000) || Number(executions) === 0) {
        return fail(`--executions must be a whole number from 1 to 1000, not "${executions}".`)
      }
      return Effect.succeed({ engine, executions: Number(executions) })
    })
  )

const singletonUsage = `Usage: npm run example:singleton -- [OPTIONS]

Runs a batch on two runners of a cluster, and kills the runner that runs it.
Uses PostgreSQL at DATABASE_URL or at 127.0.0.1:5432.

  --help    prints this text`

/** Parses the options of the example of a batch in a cluster. */
export const singleton = (args: ReadonlyArray<string>) =>
  parse(singletonUsage, () => parseArgs({ args: [...args], options: { help } }))

/** Prints the usage and succeeds with `value` if the command has the option `--help`. */
export const printHelp =
  <B>(value: B) =>
  <A, E, R>(self: Effect.Effect<A, E | HelpRequested, R>): Effect.Effect<A | B, Exclude<E, HelpRequested>, R> =>
    Effect.catchIf(
      self,
      (error): error is HelpRequested => error instanceof HelpRequested,
      ({ message }) => Effect.as(Console.log(message), value)
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
