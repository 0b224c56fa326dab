/**
 * What the API does with executions.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { Answer } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Call, Section } from "../http/apiCall.js"
import * as CallOf from "../http/apiCall.js"
import type { Execution, Executions } from "./executions.js"
import type { Files } from "../files/files.js"
import type { Model } from "./model.js"
import * as Output from "./output.js"
import type { Refusals } from "../http/errorResponses.js"
import * as Submission from "./submission.js"
import * as View from "./view.js"

const listLength = 100

/** @internal */
export const make = (options: {
  readonly executions: Executions
  readonly files: Files
  readonly refusals: Refusals
  readonly model: (slug: string) => Model
  readonly skew: number
}): Section<"executions"> => {
  const { executions, files, skew } = options
  const { invalid, noFile, notFound, refuse } = options.refusals

  const snapshot = (execution: Execution, now: number): View.Snapshot => ({
    execution,
    status: executions.status(execution, now),
    final: executions.final(execution),
    skew
  })

  const accepted = (view: View.Snapshot): Answer => ({
    ...AnswerOf.json(202, View.created(view)),
    executionId: view.execution.id
  })

  const replay = (earlier: Execution, body: string, now: number): Answer =>
    earlier.submission.body === body
      ? accepted(snapshot(earlier, now))
      : refuse({
          code: "IDEMPOTENCY_CONFLICT",
          status: 409,
          message: "This Idempotency-Key was used for another request"
        })

  const submit = (
    submission: Submission.Submission,
    { now, ending }: Call,
    idempotencyKey: string | undefined
  ): Answer => {
    const model = options.model(submission.model)
    const details = Submission.check(model, submission.input)
    if (details.length > 0) {
      return invalid(details)
    }
    const missing = Submission.fileIds(submission.input).find((fileId) => files(fileId, now) === undefined)
    if (missing !== undefined) {
      return noFile(missing)
    }
    const count = Output.fileCount(model, submission.input)
    const execution = executions.create({ submission, model, idempotencyKey, ending, files: count }, now)
    return execution === undefined
      ? refuse({ code: "INSUFFICIENT_BALANCE", message: "The balance does not cover the hold for this execution" })
      : accepted({ execution, status: "PENDING", final: undefined, skew })
  }

  const create = (call: Call): Answer => {
    const key = call.request.headers["idempotency-key"] || undefined
    const body = CallOf.bodyText(call)
    const earlier = key === undefined ? undefined : executions.byKey(key, call.now)
    return earlier === undefined
      ? Either.match(Submission.decode(body), {
          onLeft: invalid,
          onRight: (submission) => submit(submission, call, key)
        })
      : replay(earlier, body, call.now)
  }

  const withExecution = (call: Call, answer: (execution: Execution) => Answer): Answer => {
    const execution = executions.get(call.id)
    return execution === undefined
      ? notFound(`Execution ${call.id}`)
      : { ...answer(execution), executionId: execution.id }
  }

  const show = (execution: Execution, now: number): Answer => AnswerOf.json(200, View.current(snapshot(execution, now)))

  const result = (execution: Execution, now: number): Answer => {
    const view = snapshot(execution, now)
    return view.status === "COMPLETED"
      ? AnswerOf.json(200, View.result(view))
      : refuse({
          code: "EXECUTION_NOT_COMPLETED",
          status: 409,
          message: `Execution ${execution.id} is ${view.status}: it has no result`
        })
  }

  const cancel = (execution: Execution, now: number): Answer => {
    const final = executions.final(execution)
    if (final !== undefined) {
      return refuse({
        code: "EXECUTION_NOT_CANCELLABLE",
        status: 409,
        message: `Execution ${execution.id} is ${final.status} already`
      })
    }
    executions.cancel(execution, now)
    return show(execution, now)
  }

  const list = ({ now }: Call): Answer => {
    const latest = [...executions.all()].slice(-listLength).toReversed()
    return AnswerOf.json(200, { executions: latest.map((execution) => View.current(snapshot(execution, now))) })
  }

  return {
    "executions.create": create,
    "executions.get": (call) => withExecution(call, (execution) => show(execution, call.now)),
    "executions.result": (call) => withExecution(call, (execution) => result(execution, call.now)),
    "executions.cancel": (call) => withExecution(call, (execution) => cancel(execution, call.now)),
    "executions.list": list
  }
}
