/**
 * The requests that the methods on executions are made of, fixed and ready to send.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Execution from "../../Execution.js"
import type * as IdempotencyKey from "../../IdempotencyKey.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import * as decode from "./decode.js"
import * as exchange from "../http/attempt.js"
import { invalid } from "../errors/invalidRequest.js"
import type { Confidential } from "../errors/redact.js"
import { type Observation, toObservation } from "./observation.js"
import * as requests from "../http/requests.js"
import { isRecord, isWebAddress, present, text } from "../data/lenient.js"

/** @internal What a call on an execution still knows of the create that it follows. */
export interface CreateContext {
  readonly idempotencyKey?: string
  readonly confidential?: Confidential
}

/** @internal */
export interface CreateCall extends exchange.Call<Observation> {
  readonly idempotencyKey: string
}

const sighted = exchange.json("the id of an execution", (json, arrival) => {
  const execution = decode.execution(json)
  return execution === undefined ? undefined : toObservation(execution, arrival)
})

/** @internal The body of a create. */
export interface CreateBody extends requests.JsonBody {
  readonly body: { readonly [field: string]: unknown }
}

/** @internal Fails with `InvalidRequest` if the API could not run the request as it is meant. */
export const createBody = (
  operation: string,
  request: Execution.CreateRequest
): Effect.Effect<CreateBody, InvalidRequest> => {
  if (typeof request.model !== "string" || request.model.trim() === "") {
    return Effect.fail(invalid(operation, "model", "is empty", "Name a model, such as flux-1.1-pro."))
  }
  if (!isRecord(request.input)) {
    return Effect.fail(
      invalid(operation, "input", "is not an object", "Pass the model's parameters, such as { prompt }.")
    )
  }
  if (request.webhookUrl !== undefined && !isWebAddress(request.webhookUrl)) {
    return Effect.fail(
      invalid(
        operation,
        "webhookUrl",
        "is not an absolute http(s) URL",
        "Give one such as https://example.com/webhooks."
      )
    )
  }
  const { extra, input, metadata, model, webhookUrl } = request
  const body = { ...extra, model, input, ...present({ webhook_url: webhookUrl, metadata }) }
  // The model's name is no secret: errors may quote it.
  return Effect.map(requests.jsonBody(operation, { input, webhookUrl, metadata, extra }, body), (json) => ({
    ...json,
    body
  }))
}

/** @internal The request whose body this is. */
export const requestOf = ({
  input,
  metadata,
  model,
  webhook_url,
  ...extra
}: {
  readonly [field: string]: unknown
}): Execution.CreateRequest => ({
  model: text(model) ?? "",
  input: isRecord(input) ? input : {},
  webhookUrl: text(webhook_url),
  ...(isRecord(metadata) ? { metadata } : {}),
  extra
})

/** @internal Takes the key: whoever sends this call twice sends it under the same key. */
export const create = (
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  request: Execution.CreateRequest,
  option: string | undefined
): Effect.Effect<CreateCall, InvalidRequest> =>
  Effect.gen(function* () {
    const operation = "executions.create"
    const { body, privateTexts, text } = yield* createBody(operation, request)
    const idempotencyKey = yield* requests.keyFor(keys, { operation, body }, text, option)
    return {
      operation,
      request: requests.make("POST", "/v1/executions", { body: text, key: idempotencyKey }),
      accept: sighted,
      repeatable: true,
      keyed: true,
      idempotencyKey,
      confidential: { privateTexts }
    }
  })

const onOne =
  <A>(method: "GET" | "POST", suffix: string, accept: exchange.Call<A>["accept"]) =>
  (
    operation: string,
    id: Execution.ExecutionId,
    origin: CreateContext = {}
  ): Effect.Effect<exchange.Call<A>, InvalidRequest> =>
    Effect.map(requests.segment(operation, "id", id), (segment) => ({
      ...origin,
      operation,
      request: requests.make(method, `/v1/executions/${segment}${suffix}`),
      accept,
      // Reading changes nothing, and what is cancelled stays cancelled.
      repeatable: true,
      executionId: id
    }))

/** @internal */
export const get = onOne("GET", "", sighted)

/** Says whether a COMPLETED execution has no output: a field that is missing says nothing. */
const sightedResult = exchange.json("the id of an execution", (json, arrival) => {
  const execution = decode.execution(json)
  if (execution === undefined) return undefined
  const isNull = isRecord(json) && (json["output"] === null || json["result"] === null)
  const hasNoOutput = isNull && execution.status === "COMPLETED" && decode.output(execution) === undefined
  return { ...toObservation(execution, arrival), hasNoOutput }
})

/** @internal */
export const result = onOne("GET", "/result", sightedResult)

/** @internal An empty answer is one, too: what matters is how the execution then stands. */
export const cancel = onOne(
  "POST",
  "/cancel",
  exchange.json("a readable body", (json) => Option.fromNullable(decode.execution(json)))
)
