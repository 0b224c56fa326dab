/**
 * What the API does for each of its operations, once the caller has been let in.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { Answer, Detail, Refusal, Request } from "./answer.js"
import * as AnswerOf from "./answer.js"
import type { Execution, Executions } from "./executions.js"
import type { Ending } from "./fault.js"
import type { Ids } from "./ids.js"
import type { Model } from "./model.js"
import type { ApiOperation } from "./operation.js"
import * as Output from "./output.js"
import * as Picture from "./picture.js"
import * as Storage from "./storage.js"
import * as Submission from "./submission.js"
import { iso } from "./time.js"
import * as View from "./view.js"

/** @internal One call, at a moment on the Clock. */
export interface Call {
  readonly request: Request
  /** The segment of the path that names a resource. */
  readonly id: string
  readonly now: number
  /** Says how the execution ends that this call creates. */
  readonly ending: () => Ending | undefined
}

/** @internal */
export type Api = Readonly<Record<ApiOperation, (call: Call) => Answer>>

const decoder = new TextDecoder()
const listLength = 100

/** @internal */
export const make = (options: {
  readonly executions: Executions
  readonly ids: Ids
  readonly model: (slug: string) => Model
  readonly seed: number
  readonly skew: number
  readonly download: "json" | "bytes" | "redirect"
  readonly storageBase: (request: Request) => string
}): Api => {
  const { executions, ids, skew } = options

  const refuse = (error: Omit<Refusal, "requestId">): Answer => AnswerOf.refusal({ ...error, requestId: ids.request() })

  const invalid = (details: ReadonlyArray<Detail>): Answer =>
    refuse({ code: "INPUT_VALIDATION_ERROR", message: "Invalid input parameters", details })

  const noFile = (fileId: string): Answer =>
    refuse({ code: "FILE_NOT_FOUND", message: `File ${fileId} does not exist or has expired` })

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
    const missing = Submission.fileIds(submission.input).find((fileId) => executions.byFile(fileId) === undefined)
    if (missing !== undefined) {
      return noFile(missing)
    }
    const files = Output.fileCount(model, submission.input)
    const execution = executions.create({ submission, model, idempotencyKey, ending, files }, now)
    return execution === undefined
      ? refuse({ code: "INSUFFICIENT_BALANCE", message: "The balance does not cover the hold for this execution" })
      : accepted({ execution, status: "PENDING", final: undefined, skew })
  }

  const create = (call: Call): Answer => {
    const key = call.request.headers["idempotency-key"] || undefined
    const body = decoder.decode(call.request.body)
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
      ? refuse({ code: "NOT_FOUND", status: 404, message: `Execution ${call.id} does not exist` })
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

  const withFile = (call: Call, answer: (picture: Picture.Picture, link: string) => Answer): Answer => {
    const execution = executions.byFile(call.id)
    return execution === undefined
      ? noFile(call.id)
      : {
          ...answer(
            Output.picture(execution, call.id),
            Storage.link(options.storageBase(call.request), options.seed, call.id, call.now + skew)
          ),
          executionId: execution.id
        }
  }

  const url = (call: Call): Answer =>
    withFile(call, (picture, link) =>
      AnswerOf.json(200, {
        url: link,
        expires_at: iso(call.now + skew + Storage.linkLife * 1000),
        content_type: "image/png",
        size_bytes: Picture.byteLength(picture)
      })
    )

  const download = (call: Call): Answer => {
    switch (options.download) {
      case "json":
        return url(call)
      case "bytes":
        return withFile(call, (picture) => AnswerOf.bytes(200, { "content-type": "image/png" }, Picture.draw(picture)))
      case "redirect":
        return withFile(call, (_, link) => AnswerOf.bytes(302, { location: link }))
    }
  }

  return {
    "executions.create": create,
    "executions.get": (call) => withExecution(call, (execution) => show(execution, call.now)),
    "executions.result": (call) => withExecution(call, (execution) => result(execution, call.now)),
    "executions.cancel": (call) => withExecution(call, (execution) => cancel(execution, call.now)),
    "executions.list": list,
    "files.download": download,
    "files.url": url
  }
}
