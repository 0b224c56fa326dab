/**
 * Handles the execution operations of the API.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { Files } from "../files/files.js"
import { type ApiCall, bodyText, type ResourceHandlers } from "../http/apiCall.js"
import type { ErrorResponses } from "../http/errorResponses.js"
import { jsonResponse, type ResponseData } from "../http/response.js"
import type { Execution, Executions } from "./executions.js"
import type { Model } from "./model.js"
import * as Output from "./output.js"
import * as Submission from "./submission.js"
import * as View from "./view.js"

const maxListLength = 100

interface ApiContext {
  readonly executions: Executions
  readonly files: Files
  readonly errorResponses: ErrorResponses
  readonly model: (slug: string) => Model
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
}

const toSnapshot = ({ executions, skew }: ApiContext, execution: Execution, now: number): View.Snapshot => ({
  execution,
  status: executions.status(execution, now),
  terminalState: executions.terminalState(execution),
  skew
})

const createResponse = (snapshot: View.Snapshot): ResponseData => ({
  ...jsonResponse(202, View.toCreateBody(snapshot)),
  executionId: snapshot.execution.id
})

/**
 * Returns the response to a create request whose idempotency key was used before. If the body is the same, the response
 * contains the earlier execution. If the body differs, the response is a 409.
 */
const replay = (context: ApiContext, earlier: Execution, body: string, now: number): ResponseData =>
  earlier.submission.body === body
    ? createResponse(toSnapshot(context, earlier, now))
    : context.errorResponses.error({
        code: "IDEMPOTENCY_CONFLICT",
        status: 409,
        message: "This Idempotency-Key was used for another request"
      })

const submit = (
  context: ApiContext,
  submission: Submission.Submission,
  { nextOutcome, now }: ApiCall,
  idempotencyKey: string | undefined
): ResponseData => {
  const { errorResponses, executions, files, skew } = context
  const model = context.model(submission.model)
  const details = Submission.validateInput(model, submission.input)
  if (details.length > 0) {
    return errorResponses.invalidInput(details)
  }
  const missing = Submission.collectFileIds(submission.input).find((fileId) => files.find(fileId, now) === undefined)
  if (missing !== undefined) {
    return errorResponses.fileNotFound(missing)
  }
  const fileCount = Output.fileCount(model, submission.input)
  const execution = executions.create({ submission, model, idempotencyKey, nextOutcome, fileCount }, now)
  if (execution === undefined) {
    const message = "The balance does not cover the hold for this execution"
    return errorResponses.error({ code: "INSUFFICIENT_BALANCE", message })
  }
  return createResponse({ execution, status: "PENDING", terminalState: undefined, skew })
}

const create = (context: ApiContext, call: ApiCall): ResponseData => {
  const key = call.request.headers["idempotency-key"] || undefined
  const body = bodyText(call)
  const earlier = key === undefined ? undefined : context.executions.findByKey(key, call.now)
  return earlier === undefined
    ? Either.match(Submission.decode(body), {
        onLeft: context.errorResponses.invalidInput,
        onRight: (submission) => submit(context, submission, call, key)
      })
    : replay(context, earlier, body, call.now)
}

const showExecution = (context: ApiContext, execution: Execution, now: number): ResponseData =>
  jsonResponse(200, View.toExecutionBody(toSnapshot(context, execution, now)))

const getResult = (context: ApiContext, execution: Execution, now: number): ResponseData => {
  const snapshot = toSnapshot(context, execution, now)
  return snapshot.status === "COMPLETED"
    ? jsonResponse(200, View.toResultBody(snapshot))
    : context.errorResponses.error({
        code: "EXECUTION_NOT_COMPLETED",
        status: 409,
        message: `Execution ${execution.id} is ${snapshot.status} and has no result`
      })
}

const cancel = (context: ApiContext, execution: Execution, now: number): ResponseData => {
  const terminalState = context.executions.terminalState(execution)
  if (terminalState !== undefined) {
    return context.errorResponses.error({
      code: "EXECUTION_NOT_CANCELLABLE",
      status: 409,
      message: `Execution ${execution.id} is ${terminalState.status} already`
    })
  }
  context.executions.cancel(execution, now)
  return showExecution(context, execution, now)
}

/** Returns the latest 100 executions, newest first. */
const list = (context: ApiContext, now: number): ResponseData => {
  const latest = [...context.executions.all()].slice(-maxListLength).toReversed()
  return jsonResponse(200, {
    executions: latest.map((execution) => View.toExecutionBody(toSnapshot(context, execution, now)))
  })
}

/** Calls `respond` with the execution in the path. Returns a 404 if the execution does not exist. */
const withExecution = (
  context: ApiContext,
  call: ApiCall,
  respond: (context: ApiContext, execution: Execution, now: number) => ResponseData
): ResponseData => {
  const execution = context.executions.get(call.id)
  return execution === undefined
    ? context.errorResponses.resourceNotFound(`Execution ${call.id}`)
    : { ...respond(context, execution, call.now), executionId: execution.id }
}

/** @internal */
export const make = (context: ApiContext): ResourceHandlers<"executions"> => ({
  "executions.create": (call) => create(context, call),
  "executions.get": (call) => withExecution(context, call, showExecution),
  "executions.result": (call) => withExecution(context, call, getResult),
  "executions.cancel": (call) => withExecution(context, call, cancel),
  "executions.list": ({ now }) => list(context, now)
})
