/**
 * A file of prompts into a folder of pictures, so that it can be stopped, killed and started again: the same command goes on where
 * it was, and pays for nothing twice.
 *
 *     npm run example:batch -- prompts.jsonl out --concurrency 20 --max-cost 5.00
 *
 * Each line of the file is an object: `{"prompt": "a red fox in snow", "id": "fox", "model": "flux-1.1-pro", "width": 768}`. Only
 * the prompt is needed; an `id` names the results and holds when lines are put in or taken out, where the line's number would not.
 *
 * Without `MODELROUTE_API_KEY` it talks to a simulator that ends with it, and so begins anew each time. To see it go on, give it a
 * simulator that stays:
 *
 *     npm run simulator -- --port 8787
 *     MODELROUTE_API_KEY=sk_any MODELROUTE_BASE_URL=http://127.0.0.1:8787 npm run example:batch
 *
 * Exit codes: 0 when every prompt has succeeded, 1 when not, 130 after Ctrl-C, 143 after SIGTERM.
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

/** Gives the exit code. */
const run = ({ again, concurrency, file, folder, maxCost }: Command.Batch, total: number) =>
  Effect.gen(function* () {
    const { greeting, isEphemeral } = yield* Backend.Backend
    const results = yield* Results.make(folder)
    yield* Console.log(greeting)
    if (isEphemeral) yield* Console.log("It ends with this program, so that what is stopped cannot go on.")
    yield* Console.log(`${total} prompts from ${file} into ${folder}. Ctrl-C stops.\n`)

    const batch = yield* Batch.make(Prompts.stream(file), {
      id: yield* Journal.BatchId,
      total,
      key: ({ key }) => key,
      request: ({ request }) => request,
      concurrency,
      maxCost,
      // Nothing counts as delivered before it is on the disk.
      deliver: results.save,
      // What has failed, but need not fail again, such as GENERATION_TIMEOUT, is for the next run to try.
      resubmit: ({ _tag, retryable }) => retryable || _tag === "ExecutionExpired"
    })

    const counts = Stream.runFoldEffect(batch.outcomes, Summary.none, (counts, outcome) =>
      Effect.gen(function* () {
        // An earlier run could not download it, or somebody has deleted it.
        if (outcome.delivered && !(yield* results.has(outcome.key))) yield* results.save(outcome)
        return Summary.counted(counts, outcome, yield* results.has(outcome.key))
      })
    )

    const stop = Effect.gen(function* () {
      yield* batch.stop
      const { inFlight } = yield* batch.progress.get
      yield* Effect.logWarning(`Nothing more is submitted. ${inFlight} in flight are waited for and saved.`)
    })
    const then = Effect.logWarning("Ctrl-C again ends at once.")

    const ended = yield* Effect.map(counts, Either.right).pipe(
      Effect.raceFirst(Effect.map(Effect.zip(Signals.ending(stop, then), batch.progress.get), Either.left)),
      ProgressLine.shown(batch.progress)
    )

    if (Either.isLeft(ended)) {
      const [{ exitCode }, { inFlight }] = ended.left
      yield* Console.log(
        isEphemeral
          ? "Ended at once, and the simulator with it."
          : `Ended at once. ${inFlight} in flight go on at ModelRoute, and the same command takes them up:\n  ${again}`
      )
      return exitCode
    }
    const { cost, stopped } = yield* batch.progress.get
    yield* Console.log(Summary.text(ended.right, cost))
    yield* Console.log(`${folder}/<key>.json says what has become of each.`)
    const cure = isEphemeral ? [] : Summary.cure(ended.right, again, stopped)
    yield* Effect.forEach(cure, (line) => Console.log(line))
    return Summary.exitCode(ended.right, stopped)
  })

const main = Effect.gen(function* () {
  const options = yield* Command.batch
  // A line that cannot be used is found before the first one is paid for.
  const total = yield* Prompts.count(options.file)
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(options.folder, { recursive: true })
  const journal = Journal.layer(options.folder, options.id)
  return yield* Effect.provide(run(options, total), Layer.provideMerge(journal, Backend.layerFor(Backend.many)))
})

main.pipe(Effect.provide(NodeContext.layer), Command.explained, Signals.runMain)
