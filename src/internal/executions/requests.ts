/**
 * Builds the requests for executions.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Execution from "../../Execution.js"
import type * as IdempotencyKey from "../../IdempotencyKey.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import * as decode from "./decode.js"
import * as attempt from "../http/attempt.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import type { Confidential } from "../errors/confidential.js"
import { type Observation, toObservation } from "./observation.js"
import { chooseKey } from "../http/idempotencyKey.js"
import * as requests from "../http/requests.js"
import { isRecord, isHttpUrl, omitUndefined, nonEmptyString } from "../data/lenient.js"

/**
 * The data of a create request that the errors of later calls for the same execution need. `confidential` contains the
 * texts that these errors must not contain.
 *
 * @internal
 */
export interface CreateContext {
  readonly idempotencyKey?: string
  readonly confidential?: Confidential
}

/** @internal A create request. Its key and body are fixed before the first attempt. */
export interface CreateCall extends attempt.Call<Observation> {
  readonly idempotencyKey: string
}

/** Decodes a response that contains an execution. */
const decodeObservation = attempt.decodeJson("the id of an execution", (json, received) => {
  const execution = decode.execution(json)
  return execution === undefined ? undefined : toObservation(execution, received)
})

/** @internal The body of a create request, as text and as an object. */
export interface CreateBody extends requests.JsonBody {
  readonly body: { readonly [field: string]: unknown }
}

/**
 * Encodes the body of a create request. Fails with `InvalidRequest` if a field is missing or has no exact JSON form.
 *
 * @internal
 */
export const encodeCreateBody = (
  operation: string,
  request: Execution.CreateRequest
): Either.Either<CreateBody, InvalidRequest> => {
  if (!isRecord(request)) {
    return Either.left(invalidRequest(operation, "request", "is not an object", "Pass { model, input }."))
  }
  for (const field of ["metadata", "extra"] as const) {
    if (request[field] !== undefined && !isRecord(request[field])) {
      return Either.left(invalidRequest(operation, field, "is not an object", "Pass an object, or omit the field."))
    }
  }
  if (typeof request.model !== "string" || request.model.trim() === "") {
    return Either.left(invalidRequest(operation, "model", "is empty", "Pass a model name, such as flux-1.1-pro."))
  }
  if (!isRecord(request.input)) {
    return Either.left(
      invalidRequest(operation, "input", "is not an object", "Pass the model's parameters, such as { prompt }.")
    )
  }
  if (request.webhookUrl !== undefined && !isHttpUrl(request.webhookUrl)) {
    return Either.left(
      invalidRequest(
        operation,
        "webhookUrl",
        "is not an absolute http(s) URL",
        "Pass a URL such as https://example.com/webhooks."
      )
    )
  }
  const { extra, input, metadata, model, webhookUrl } = request
  const body = { ...extra, model, input, ...omitUndefined({ webhook_url: webhookUrl, metadata }) }
  // Error messages may quote `model`, because the name of a model is not confidential.
  return Either.map(requests.encodeJsonBody(operation, { input, webhookUrl, metadata, extra }, body), (json) => ({
    ...json,
    body
  }))
}

/** @internal Converts a body from `encodeCreateBody` to a create request. */
export const toCreateRequest = ({
  input,
  metadata,
  model,
  webhook_url,
  ...extra
}: {
  readonly [field: string]: unknown
}): Execution.CreateRequest => ({
  model: nonEmptyString(model) ?? "",
  input: isRecord(input) ? input : {},
  webhookUrl: nonEmptyString(webhook_url),
  ...(isRecord(metadata) ? { metadata } : {}),
  extra
})

/** @internal Returns a create request. All attempts send the same key and the same body. */
export const create = (
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  request: Execution.CreateRequest,
  keyOption: string | undefined
): Effect.Effect<CreateCall, InvalidRequest> =>
  Effect.suspend(() => {
    const operation = "executions.create"
    const encoded = encodeCreateBody(operation, request)
    if (Either.isLeft(encoded)) return Effect.fail(encoded.left)
    const { body, privateTexts, text } = encoded.right
    return Effect.map(chooseKey(keys, { operation, body }, text, keyOption), (idempotencyKey) => ({
      operation,
      request: requests.make("POST", "/v1/executions", { body: text, key: idempotencyKey }),
      decode: decodeObservation,
      isRepeatable: true,
      isKeyed: true,
      idempotencyKey,
      confidential: { privateTexts }
    }))
  })

/** Returns a function that creates a call for one execution. */
const makeCallFor =
  <A>(method: "GET" | "POST", suffix: string, decode: attempt.Call<A>["decode"]) =>
  (
    operation: string,
    id: Execution.ExecutionId,
    create: CreateContext = {}
  ): Effect.Effect<attempt.Call<A>, InvalidRequest> =>
    Effect.map(requests.encodeSegment(operation, "id", id), (segment) => ({
      ...create,
      operation,
      request: requests.make(method, `/v1/executions/${segment}${suffix}`),
      decode,
      // A repeated GET or cancel request has no further effect.
      isRepeatable: true,
      executionId: id
    }))

/** @internal Creates a call that fetches an execution. */
export const get = makeCallFor("GET", "", decodeObservation)

/**
 * Decodes a response that contains the result of an execution. If the output is `null`, the API confirms that a
 * COMPLETED execution has no output. If the output is missing, the output can become available later.
 */
const decodeResultObservation = attempt.decodeJson("the id of an execution", (json, received) => {
  const execution = decode.execution(json)
  if (execution === undefined) return undefined
  const isNull = isRecord(json) && (json["output"] === null || json["result"] === null)
  const hasNoOutput = isNull && execution.status === "COMPLETED" && decode.outputOf(execution) === undefined
  return { ...toObservation(execution, received), hasNoOutput }
})

/** @internal Creates a call that fetches the result of an execution. */
export const result = makeCallFor("GET", "/result", decodeResultObservation)

/** @internal Creates a call that cancels an execution. The response may be empty. */
export const cancel = makeCallFor(
  "POST",
  "/cancel",
  attempt.decodeJson("a readable body", (json) => Option.fromNullable(decode.execution(json)))
)
