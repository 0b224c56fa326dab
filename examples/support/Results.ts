/**
 * Saves the files of each prompt and a JSON report in a folder. The report is written last and proves that all files
 * are complete.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect, Option, Schema, Stream } from "effect"
import { type Batch, type Execution, File, ModelRouteClient, ModelRouteError } from "effect-modelroute"
import type { Prompt } from "./Prompts.js"

export interface Results {
  /** Saves an outcome. Logs a failed download, and the next run repeats the download. */
  readonly save: (outcome: Batch.Outcome<Prompt>) => Effect.Effect<void, PlatformError>
  readonly has: (key: string) => Effect.Effect<boolean, PlatformError>
}

/**
 * Description of a file in an output. The type is `format` (`png`) or `content_type` (`image/png`), depending on the
 * edition of the API.
 */
const FileDescription = Schema.Struct({
  file_id: Schema.String,
  format: Schema.optional(Schema.String),
  content_type: Schema.optional(Schema.String)
})

function* objectsIn(value: unknown): Generator<object> {
  if (typeof value !== "object" || value === null) return
  yield value
  for (const inner of Object.values(value)) yield* objectsIn(inner)
}

const extensionOf = (output: unknown, id: File.FileId): string => {
  for (const object of objectsIn(output)) {
    const {
      content_type: type,
      file_id: of,
      format = type
    } = Option.getOrElse(decodeDescription(object), () => nothing)
    if (of === id) return /\w+$/.exec(format ?? "")?.[0] ?? "bin"
  }
  return "bin"
}

const decodeDescription = Schema.decodeUnknownOption(FileDescription)
const nothing: Partial<typeof FileDescription.Type> = {}

const namesOf = (key: string, { fileIds, output }: Execution.Completed) =>
  fileIds.map((id, i) => {
    const extension = extensionOf(output, id)
    // File names are unique, because keys contain no dot.
    return { id, name: `${key}${fileIds.length > 1 || extension === "json" ? `.${i + 1}` : ""}.${extension}` }
  })

const reportOf = (outcome: Exclude<Batch.Outcome<Prompt>, { readonly _tag: "NotAttempted" }>) => {
  const { item, key } = outcome
  const prompt = { key, line: item.line, ...item.request }
  if (outcome._tag === "Failed") {
    const { _tag, executionId, message } = outcome.error
    return { ...prompt, status: "failed", executionId, error: { tag: _tag, message } }
  }
  const { cost, id, output } = outcome.completed
  const files = namesOf(key, outcome.completed).map(({ name }) => name)
  return { ...prompt, status: "succeeded", executionId: id, cost, files, output }
}

export const make = (
  folder: string
): Effect.Effect<Results, PlatformError, FileSystem.FileSystem | Path.Path | ModelRouteClient.ModelRouteClient> =>
  Effect.gen(function* () {
    const { files } = yield* ModelRouteClient.ModelRouteClient
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const toPath =
      (name: string) =>
      <E>(bytes: Stream.Stream<Uint8Array, E>) =>
        Effect.provideService(File.toPath(path.join(folder, name))(bytes), FileSystem.FileSystem, fs)

    const has = (key: string) => fs.exists(path.join(folder, `${key}.json`))

    const save: Results["save"] = (outcome) =>
      Effect.gen(function* () {
        if (outcome._tag === "NotAttempted") return
        const { key } = outcome
        // A report from an earlier run may describe another execution.
        yield* fs.remove(path.join(folder, `${key}.json`), { force: true })
        const produced = outcome._tag === "Succeeded" ? namesOf(key, outcome.completed) : []
        yield* Effect.forEach(produced, ({ id, name }) => files.download(id).pipe(toPath(name)), { discard: true })
        const report = JSON.stringify(reportOf(outcome), null, 2)
        yield* Stream.make(`${report}\n`).pipe(Stream.encodeText, toPath(`${key}.json`))
      }).pipe(
        Effect.catchIf(ModelRouteError.isModelRouteError, ({ message }) =>
          Effect.logWarning(`The result of ${outcome.key} is paid for but could not be downloaded: ${message}`)
        )
      )

    return { has, save }
  })
