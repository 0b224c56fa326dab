/**
 * A file of prompts in JSON Lines: each line an object with a `prompt`, perhaps a `model` and an `id`, and whatever else the model
 * takes. The file is read as a stream, never held whole.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { Data, Effect, Either, ParseResult, Schema, Stream } from "effect"

export interface Prompt {
  /** Names its results: the line's `id`, or its number. */
  readonly key: string
  /** From 1. */
  readonly line: number
  readonly request: { readonly model: string; readonly input: { readonly prompt: string } }
}

export class WrongPrompts extends Data.TaggedError("WrongPrompts")<{ readonly message: string }> {}

const said = (message: string) => ({ message: () => ({ message, override: true }) })

const Line = Schema.parseJson(
  Schema.Struct(
    {
      // It becomes the name of a file.
      id: Schema.optional(
        Schema.String.pipe(Schema.pattern(/^[\w-]{1,100}$/, said('is not 1 to 100 letters, digits, "-" and "_"')))
      ),
      model: Schema.optionalWith(Schema.NonEmptyString.annotations(said("is not the name of a model")), {
        default: () => "flux-1.1-pro"
      }),
      prompt: Schema.propertySignature(
        Schema.String.pipe(Schema.pattern(/\S/, said("is no text, or an empty one")))
      ).annotations({
        missingMessage: () => "is missing"
      })
    },
    Schema.Record({ key: Schema.String, value: Schema.Unknown })
  )
)

const decode = Schema.decodeEither(Line)

const complaint = (error: ParseResult.ParseError): string => {
  const [{ message, path } = { message: "", path: [] }] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return path.length === 0
    ? 'is no JSON object such as {"prompt": "a red fox in snow"}'
    : `"${path.join(".")}" ${message}`
}

type Read = Either.Either<Prompt, { readonly line: number; readonly complaint: string }>

const read = (text: string, line: number): Read =>
  Either.mapBoth(decode(text), {
    onLeft: (error) => ({ line, complaint: complaint(error) }),
    onRight: ({ id = String(line), model, ...input }) => ({ key: id, line, request: { model, input } })
  })

const lines = (file: string): Stream.Stream<Read, WrongPrompts, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(file))).pipe(
    Stream.mapError(unreadable(file)),
    Stream.decodeText(),
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.filter(([text]) => text.trim() !== ""),
    Stream.map(([text, index]) => read(text, index + 1))
  )

const unreadable = (file: string) => (error: PlatformError) =>
  new WrongPrompts({
    message:
      error._tag === "SystemError" && error.reason === "NotFound"
        ? `There is no file ${file}.`
        : `${file} cannot be read: ${error.description ?? error.message}`
  })

/** How many complaints are told one by one. */
const told = 10

/**
 * How many prompts there are. Fails when a line cannot be used, and names it: better before the first prompt is paid for than
 * after the last. Of each line only the key is kept.
 */
export const count = (file: string): Effect.Effect<number, WrongPrompts, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const seen = new Map<string, number>()
    const complaints: Array<string> = []
    let wrong = 0
    const complain = (line: number, complaint: string) => {
      if ((wrong += 1) <= told) complaints.push(`  line ${line}: ${complaint}`)
    }
    yield* Stream.runForEach(lines(file), (read) =>
      Effect.sync(() => {
        if (Either.isLeft(read)) return complain(read.left.line, read.left.complaint)
        const { key, line } = read.right
        // On some disks FOX.png and fox.png are the same file.
        const name = key.toLowerCase()
        const before = seen.get(name)
        if (before !== undefined)
          return complain(line, `is called "${key}", as line ${before} is: give it another "id"`)
        seen.set(name, line)
      })
    )
    if (wrong > 0) {
      const more = wrong > told ? [`  and ${wrong - told} more`] : []
      return yield* new WrongPrompts({
        message: [
          `${file} cannot be used as it is. Nothing was submitted; correct it and run the command again.`,
          ...complaints,
          ...more
        ].join("\n")
      })
    }
    if (seen.size === 0) {
      return yield* new WrongPrompts({ message: `${file} holds no prompts: write one JSON object per line.` })
    }
    return seen.size
  })

/** The prompts, as they are asked for. */
export const stream = (file: string): Stream.Stream<Prompt, WrongPrompts, FileSystem.FileSystem> =>
  Stream.mapEffect(
    lines(file),
    Either.mapLeft(
      ({ complaint, line }) =>
        new WrongPrompts({ message: `${file} has changed meanwhile: line ${line}: ${complaint}` })
    )
  )
