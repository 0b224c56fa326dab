/**
 * Reads a file of prompts in JSON Lines as a stream. Each line is an object with a `prompt`, an optional `model` and an
 * optional `id`. All other fields are parameters of the model.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { Data, Effect, Either, ParseResult, Schema, Stream } from "effect"

export interface Prompt {
  /** Name of the result files. Default: the line number. */
  readonly key: string
  /** Line number, from 1. */
  readonly line: number
  readonly request: { readonly model: string; readonly input: { readonly prompt: string } }
}

export class InvalidPrompts extends Data.TaggedError("InvalidPrompts")<{ readonly message: string }> {}

const withMessage = (message: string) => ({ message: () => ({ message, override: true }) })

const Line = Schema.parseJson(
  Schema.Struct(
    {
      // The pattern excludes path separators, because the id becomes a file name.
      id: Schema.optional(
        Schema.String.pipe(
          Schema.pattern(/^[\w-]{1,100}$/, withMessage('is not 1 to 100 letters, digits, "-" and "_"'))
        )
      ),
      model: Schema.optionalWith(Schema.NonEmptyString.annotations(withMessage("is not the name of a model")), {
        default: () => "flux-1.1-pro"
      }),
      prompt: Schema.propertySignature(
        Schema.String.pipe(Schema.pattern(/\S/, withMessage("is not a non-empty string")))
      ).annotations({
        missingMessage: () => "is missing"
      })
    },
    Schema.Record({ key: Schema.String, value: Schema.Unknown })
  )
)

const decode = Schema.decodeEither(Line)

const problemOf = (error: ParseResult.ParseError): string => {
  const [{ message, path } = { message: "", path: [] }] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return path.length === 0
    ? 'is not a JSON object such as {"prompt": "a red fox in snow"}'
    : `"${path.join(".")}" ${message}`
}

type Read = Either.Either<Prompt, { readonly line: number; readonly problem: string }>

const read = (text: string, line: number): Read =>
  Either.mapBoth(decode(text), {
    onLeft: (error) => ({ line, problem: problemOf(error) }),
    onRight: ({ id = String(line), model, ...input }) => ({ key: id, line, request: { model, input } })
  })

const lines = (file: string): Stream.Stream<Read, InvalidPrompts, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(file))).pipe(
    Stream.mapError(unreadable(file)),
    Stream.decodeText(),
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.filter(([text]) => text.trim() !== ""),
    Stream.map(([text, index]) => read(text, index + 1))
  )

const unreadable = (file: string) => (error: PlatformError) =>
  new InvalidPrompts({
    message:
      error._tag === "SystemError" && error.reason === "NotFound"
        ? `The file ${file} does not exist.`
        : `${file} cannot be read: ${error.description ?? error.message}`
  })

/** Maximum number of problems in the error message. */
const maxListedProblems = 10

/**
 * Counts the prompts. Fails with `InvalidPrompts` if a line is invalid, and lists the invalid lines. Keeps only the
 * keys in memory.
 */
export const count = (file: string): Effect.Effect<number, InvalidPrompts, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const seen = new Map<string, number>()
    const problems: Array<string> = []
    let invalid = 0
    const report = (line: number, problem: string) => {
      if ((invalid += 1) <= maxListedProblems) problems.push(`  line ${line}: ${problem}`)
    }
    yield* Stream.runForEach(lines(file), (read) =>
      Effect.sync(() => {
        if (Either.isLeft(read)) return report(read.left.line, read.left.problem)
        const { key, line } = read.right
        // Some file systems ignore case in file names.
        const name = key.toLowerCase()
        const before = seen.get(name)
        if (before !== undefined) return report(line, `has the same name "${key}" as line ${before}. Set another "id"`)
        seen.set(name, line)
      })
    )
    if (invalid > 0) {
      const more = invalid > maxListedProblems ? [`  and ${invalid - maxListedProblems} more`] : []
      return yield* new InvalidPrompts({
        message: [
          `${file} has invalid lines. Nothing was submitted. Correct the lines and run the command again.`,
          ...problems,
          ...more
        ].join("\n")
      })
    }
    if (seen.size === 0) {
      return yield* new InvalidPrompts({ message: `${file} contains no prompts. Write one JSON object per line.` })
    }
    return seen.size
  })

/** Streams the prompts. Fails with `InvalidPrompts` if a line became invalid after `count`. */
export const stream = (file: string): Stream.Stream<Prompt, InvalidPrompts, FileSystem.FileSystem> =>
  Stream.mapEffect(
    lines(file),
    Either.mapLeft(
      ({ line, problem }) =>
        new InvalidPrompts({ message: `${file} has changed since the start. Line ${line}: ${problem}` })
    )
  )
