/**
 * Creates an image for each prompt of a file. After a stop or a kill, the same command continues the batch without a
 * second charge.
 *
 *     npm run example:batch -- prompts.jsonl out --concurrency 20 --max-cost 5.00
 *
 * Each line of the file is a JSON object. Example:
 *
 *     {"prompt": "a red fox in snow", "id": "fox", "model": "flux-1.1-pro", "width": 768}
 *
 * Only `prompt` is required. `id` names the result files. Default: the line number. Line numbers change if lines are
 * inserted or removed.
 *
 * Without `MODELROUTE_API_KEY`, each run starts a new simulator and a new batch. Start a separate simulator to continue
 * a batch without the real API:
 *
 *     npm run simulator -- --port 8787
 *     MODELROUTE_API_KEY=sk_any MODELROUTE_BASE_URL=http://127.0.0.1:8787 npm run example:batch
 *
 * Exit codes: 0 if every prompt has succeeded, 1 otherwise, 130 after Ctrl-C, 143 after SIGTERM.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { Console, Effect, Either, Layer, Stream } from "effect"
import { Batch } from "effect-modelroute"
import * as Backend from "./support/Backend.js"
import * as Command from "./support/Command.js"
import * as Journal from "./support/Journal.js"
import * as ProgressLine from "./support/ProgressLine.js"
import * as Prompts from "./support/Prompts.js"
import * as Results from "./support/Results.js"
import * as Signals from "./support/Signals.js"
import * as Summary from "./support/Summary.js"

/** Runs the batch and returns the exit code. */
const run = ({ again, concurrency, file, folder, maxCost }: Command.Batch, total: number) =>
  Effect.gen(function* () {
    const { greeting, isEphemeral } = yield* Backend.Backend
    const results = yield* Results.make(folder)
    yield* Console.log(greeting)
    if (isEphemeral) yield* Console.log("The simulator ends with this program, so a stopped batch cannot continue.")
    yield* Console.log(`Saving the images of ${total} prompts from ${file} to ${folder}. Press Ctrl-C to stop.\n`)

    const batch = yield* Batch.make(Prompts.stream(file), {
      id: yield* Journal.BatchId,
      total,
      key: ({ key }) => key,
      request: ({ request }) => request,
      concurrency,
      maxCost,
      // An item counts as delivered only after its files are saved.
      deliver: results.save,
      // A new execution can succeed after a retryable failure, for example GENERATION_TIMEOUT.
      resubmit: ({ _tag, retryable }) => retryable || _tag === "ExecutionExpired"
    })

    const counts = Stream.runFoldEffect(batch.outcomes, Summary.none, (counts, outcome) =>
      Effect.gen(function* () {
        // The files can be missing because an earlier download failed or because a user deleted the files.
        if (outcome.delivered && !(yield* results.has(outcome.key))) yield* results.save(outcome)
        return Summary.add(counts, outcome, yield* results.has(outcome.key))
      })
    )

    const stop = Effect.gen(function* () {
      yield* batch.stop
      const { inFlight } = yield* batch.progress.get
      yield* Effect.logWarning(
        `Stopping. No more executions are submitted. The results of ${inFlight} running executions are still saved.`
      )
    })
    const announce = Effect.logWarning("Press Ctrl-C again to exit immediately.")

    const ended = yield* Effect.map(counts, Either.right).pipe(
      Effect.raceFirst(Effect.map(Effect.zip(Signals.awaitExit(stop, announce), batch.progress.get), Either.left)),
      ProgressLine.withProgress(batch.progress)
    )

    if (Either.isLeft(ended)) {
      const [{ exitCode }, { inFlight }] = ended.left
      yield* Console.log(
        isEphemeral
          ? "Exited immediately. The simulator has stopped, too."
          : `Exited immediately. ${inFlight} executions continue at ModelRoute. To resume, run the same command:\n  ${again}`
      )
      return exitCode
    }
    const { cost, stopped } = yield* batch.progress.get
    yield* Console.log(Summary.text(ended.right, cost))
    yield* Console.log(`${folder}/<key>.json describes each outcome.`)
    const advice = isEphemeral ? [] : Summary.adviceFor(ended.right, again, stopped)
    yield* Effect.forEach(advice, (line) => Console.log(line))
    return Summary.exitCode(ended.right, stopped)
  })

const main = Effect.gen(function* () {
  const options = yield* Command.batch(process.argv.slice(2))
  // An invalid line must be reported before the first execution is charged.
  const total = yield* Prompts.count(options.file)
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(options.folder, { recursive: true })
  const journal = Journal.layer(options.folder, options.id)
  return yield* Effect.provide(run(options, total), Layer.provideMerge(journal, Backend.layerFor(Backend.many)))
})

main.pipe(Effect.provide(NodeContext.layer), Command.printHelp(0), Command.printFailure, Signals.runMain)
