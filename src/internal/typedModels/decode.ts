/**
 * Decodes the results of executions with the schema of a model.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Execution from "../../Execution.js"
import { OutputDecodeError, type OutputIssue } from "../../ModelRouteError.js"
import { unchecked } from "../errors/codedError.js"
import { type Completed, type Model, TypeId, type WatchedExecution } from "./types.js"

/** @internal A model with any type of input, for code that needs only the output schema. */
export type AnyInput<Out> = Model<never, Out, unknown>

/** Result with a decoded output. Only `of` creates instances, so `output` has the type `Out`. */
class DecodedCompleted<Out> extends Execution.Completed implements Completed<Out> {
  declare readonly output: Out
  #raw: Execution.Completed | undefined

  static of<Out>(raw: Execution.Completed, output: Out): DecodedCompleted<Out> {
    const decoded = new DecodedCompleted<Out>({ ...raw, output }, unchecked)
    decoded.#raw = raw
    return decoded
  }

  get raw(): Execution.Completed {
    return this.#raw ?? this
  }

  /** Returns the ids in the raw output, because the decoded output lacks the fields that the schema ignores. */
  override get fileIds(): Execution.Completed["fileIds"] {
    return Execution.fileIds(this.raw.output)
  }
}

/** COMPLETED execution with a decoded output. Only `of` creates instances, so `output` has the type `Out`. */
class DecodedExecution<Out> extends Execution.Execution implements WatchedExecution<Out> {
  declare readonly output: Out

  static of<Out>(raw: Execution.Execution, output: Out): DecodedExecution<Out> {
    return new DecodedExecution<Out>({ ...raw, output }, unchecked)
  }
}

/**
 * Execution that is not COMPLETED. The output is removed, because the schema of a model applies only to the output of a
 * COMPLETED execution.
 *
 * @internal
 */
export class UndecodedExecution extends Execution.Execution implements WatchedExecution<never> {
  declare readonly output?: never

  static of(execution: Execution.Execution): UndecodedExecution {
    const { output: _, ...fields } = execution
    return new UndecodedExecution(fields, unchecked)
  }
}

/** Maximum number of issues in the message of an `OutputDecodeError`. */
const maxShownIssues = 3

const makeError = (
  operation: string,
  attempts: number,
  model: string,
  completed: Execution.Completed,
  issues: ReadonlyArray<OutputIssue>
): OutputDecodeError => {
  const shown = issues.slice(0, maxShownIssues).map(({ message, path }) => ` ${path}: ${message}.`)
  const others = issues.length > maxShownIssues ? ` See issues for ${issues.length - maxShownIssues} more.` : ""
  const message = `Execution ${completed.id} is COMPLETED, but its output does not match the schema of the model ${model}.${shown.join("")}${others} The field completed contains the result. Correct the schema and decode the result again. A new execution would be charged again.`
  return new OutputDecodeError(
    { operation, attempts, executionId: completed.id, model, issues, completed, message },
    unchecked
  )
}

/** @internal The facts about a call that an `OutputDecodeError` contains. */
export interface DecodeContext {
  readonly operation: string
  readonly attempts: number
}

const decodeOutput = <Out>(
  model: AnyInput<Out>,
  completed: Execution.Completed,
  { attempts, operation }: DecodeContext
): Effect.Effect<Out, OutputDecodeError> =>
  Effect.mapError(model[TypeId].decodeOutput(completed.output), (issues) =>
    makeError(operation, attempts, model.id, completed, issues)
  )

/** @internal Decodes the output of a result. Fails with `OutputDecodeError` if the output does not match the schema. */
export const decodeCompleted = <Out>(
  model: AnyInput<Out>,
  completed: Execution.Completed,
  context: DecodeContext
): Effect.Effect<Completed<Out>, OutputDecodeError> =>
  Effect.map(decodeOutput(model, completed, context), (output) => DecodedCompleted.of(completed, output))

/**
 * Decodes the output of a COMPLETED execution. `completed` is the result of the execution. Fails with
 * `OutputDecodeError` if the output does not match the schema.
 *
 * @internal
 */
export const decodeExecution = <Out>(
  model: AnyInput<Out>,
  execution: Execution.Execution,
  completed: Execution.Completed,
  context: DecodeContext
): Effect.Effect<WatchedExecution<Out>, OutputDecodeError> =>
  Effect.map(decodeOutput(model, completed, context), (output) => DecodedExecution.of(execution, output))
