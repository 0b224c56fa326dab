/**
 * Encodes the request of a workflow. Adds the id of the workflow to the request, so that a webhook event for the
 * execution contains this id.
 *
 * @internal
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Execution from "../../Execution.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { ModelRouteClient } from "../../ModelRouteClient.js"
import { isHttpUrl, isRecord, omitUndefined } from "../data/lenient.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { encodeCreateBody, toCreateRequest } from "../executions/requests.js"
import * as typed from "../typedModels/request.js"
import { type Request, RequestTypeId } from "../typedModels/types.js"
import type { Event } from "../webhooks/event.js"
import { isWorkflowId, type Payload } from "./workflow.js"

/** @internal The create request in the payload of the workflow. */
export type StoredRequest = typeof Payload.Type.request

const operation = "DurableExecution.start"

/** @internal Checks the id of a durable execution. Returns `InvalidRequest` as a `Left` if the id is not valid. */
export const checkId = (id: unknown): Either.Either<void, InvalidRequest> => {
  const advice = "Pass a name for the execution, such as the id of an order."
  if (typeof id !== "string" || id === "") return Either.left(invalidRequest(operation, "id", "is empty", advice))
  // Ids with lone surrogates are rejected. UTF-8 encodes all lone surrogates as the same character, so different ids
  // would have the same hash.
  return /\p{Surrogate}/u.test(id)
    ? Either.left(invalidRequest(operation, "id", "contains half of a surrogate pair", advice))
    : Either.void
}

/**
 * Checks a request and returns a copy with the exact JSON that the client sends. A later change of the caller's object
 * therefore has no effect. Fails with `InvalidRequest` if a field is invalid.
 *
 * @internal
 */
export const encode = (request: Execution.CreateRequest): Effect.Effect<StoredRequest, InvalidRequest> =>
  Effect.map(encodeCreateBody(operation, request), ({ text }) => {
    const { extra, input, metadata, model, webhookUrl } = toCreateRequest(JSON.parse(text))
    return {
      model,
      input: isRecord(input) ? input : {},
      ...omitUndefined({ webhookUrl, metadata: isRecord(metadata) ? metadata : undefined, extra })
    }
  })

/** @internal Encodes a typed request and uploads the files in its input. */
export const encodeTyped = <E, R>(
  request: Request<unknown, E, R>
): Effect.Effect<StoredRequest, InvalidRequest | E, ModelRouteClient | R> =>
  Effect.gen(function* () {
    const { finish, input } = yield* request[RequestTypeId].prepareInput(operation)
    const encoded = yield* encode(typed.toCreateRequest(request, input))
    if (finish === undefined) return encoded
    const { files } = yield* ModelRouteClient
    return yield* encode(typed.toCreateRequest(request, yield* finish(files.upload)))
  })

/** The field of `metadata` that contains the id of the workflow. */
const metadataField = "durable_execution"

/** The query parameter of `webhookUrl` that contains the id of the workflow. */
const queryParameter = "durable_execution"

/**
 * Adds the id of a workflow to the query of a URL. Returns an invalid URL unchanged, so that the create request fails
 * with `InvalidRequest`.
 */
const addQueryParameter = (webhookUrl: string, workflowId: string): string => {
  if (!isHttpUrl(webhookUrl)) return webhookUrl
  const url = new URL(webhookUrl)
  url.searchParams.set(queryParameter, workflowId)
  return url.href
}

/** @internal Returns the create request with the id of the workflow. */
export const addWorkflowId = (request: StoredRequest, workflowId: string): Execution.CreateRequest => ({
  ...request,
  metadata: { ...request.metadata, [metadataField]: workflowId },
  ...(request.webhookUrl === undefined ? {} : { webhookUrl: addQueryParameter(request.webhookUrl, workflowId) })
})

/**
 * Returns `u` if `u` has the form of a workflow id, and otherwise `undefined`. The engine must not receive other texts,
 * because its database can reject a long text or a control character.
 */
const readWorkflowId = (u: unknown): string | undefined => (isWorkflowId(u) ? u : undefined)

/** Returns the id of the workflow in the URL of the current HTTP request. */
const workflowIdOfUrl: Effect.Effect<string | undefined> = Effect.map(
  Effect.serviceOption(HttpServerRequest.HttpServerRequest),
  Option.match({
    onNone: () => undefined,
    onSome: ({ url }) => readWorkflowId(new URLSearchParams(url.replace(/^[^?]*/, "")).get(queryParameter))
  })
)

/**
 * Returns the id of the workflow that a webhook event belongs to. Reads the id from the metadata in the event. If the
 * metadata is missing, reads the id from the URL of the webhook request. The API does not document that events contain
 * metadata.
 *
 * @internal
 */
export const workflowIdOfEvent = ({ execution }: Event): Effect.Effect<string | undefined> => {
  const id = readWorkflowId(execution?.metadata?.[metadataField])
  return id === undefined ? workflowIdOfUrl : Effect.succeed(id)
}
