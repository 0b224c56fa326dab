/**
 * Implements the webhook endpoint methods of the client.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { EndpointId, UpdateRequest } from "../../WebhookEndpoint.js"
import { isRecord, isHttpUrl, omitUndefined } from "../data/lenient.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checksOf } from "../errors/optionChecks.js"
import { isMissing } from "../errors/semantics.js"
import * as attempt from "../http/attempt.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { retryLoop, runOperation } from "../http/retryLoop.js"
import { type CallStats, withOperationSpan } from "../telemetry.js"
import * as decode from "./endpointDecode.js"
import type { WebhookEndpoints } from "./endpointTypes.js"

const path = "/v1/webhooks/endpoints"

/**
 * Returns the header values as strings. Fails with `InvalidRequest` if a value is not a string. JSON would omit some
 * other values, such as `undefined`, without an error.
 */
const headerValues = (
  operation: string,
  headers: UpdateRequest["headers"]
): Either.Either<{ readonly [name: string]: string } | undefined, InvalidRequest> => {
  const fail = (field: string, problem: string, advice: string) =>
    Either.left(invalidRequest(operation, field, problem, advice))
  if (headers === undefined) return Either.right(headers)
  if (!isRecord(headers) || Symbol.iterator in headers) {
    return fail("headers", "is not a plain object", "Pass { name: value }.")
  }
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const text: unknown = Redacted.isRedacted(value) ? Redacted.value(value) : value
    if (typeof text !== "string")
      return fail(`headers.${name}`, "is not a string", "Pass a string or a Redacted string.")
    values[name] = text
  }
  return Either.right(values)
}

/** Returns the JSON body of a request and the header values to redact in errors. */
const encodeBody = (operation: string, request: UpdateRequest) => {
  const isObject = checksOf(operation).record("request", request ?? null)
  if (Either.isLeft(isObject)) return Effect.fail(isObject.left)
  const { headers, isActive, ...rest } = request
  if (rest.url !== undefined && !isHttpUrl(rest.url)) {
    return Effect.fail(
      invalidRequest(
        operation,
        "url",
        "is not an absolute http(s) URL",
        "Pass a URL such as https://example.com/webhooks."
      )
    )
  }
  return Effect.flatMap(headerValues(operation, headers), (values) =>
    Effect.map(
      requests.encodeJsonBody(
        operation,
        { ...rest, headers: values },
        omitUndefined({ ...rest, headers: values, is_active: isActive })
      ),
      ({ text }) => ({ text, confidential: { secrets: Object.values(values ?? {}) } })
    )
  )
}

/** Runs an operation on one endpoint in a tracing span. `use` receives the URL path of this endpoint. */
const withEndpoint = <A>(
  operation: string,
  id: EndpointId,
  use: (path: string, stats: CallStats) => Effect.Effect<A, RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    const stats: CallStats = { attempts: 0 }
    const segment: Effect.Effect<string, RequestFailure> = requests.encodeSegment(operation, "id", id)
    return withOperationSpan(
      operation,
      stats,
      Effect.flatMap(segment, (encodedId) => use(`${path}/${encodedId}`, stats))
    )
  })

const create = (sender: RequestSender): WebhookEndpoints["create"] => {
  const operation = "webhookEndpoints.create"
  return (request) =>
    Effect.flatMap(encodeBody(operation, request), ({ confidential, text }) =>
      runOperation(sender, {
        operation,
        request: requests.make("POST", path, { body: text }),
        decode: attempt.decodeJson("the endpoint's id and secret", decode.createdEndpoint),
        // A retry could create a second endpoint, and the API would then deliver every event twice.
        isRepeatable: false,
        confidential
      })
    )
}

const listCall = {
  operation: "webhookEndpoints.list",
  request: requests.make("GET", path),
  decode: attempt.decodeJson("a list of endpoints", decode.endpoints),
  isRepeatable: true
}

const update = (sender: RequestSender): WebhookEndpoints["update"] => {
  const operation = "webhookEndpoints.update"
  return (id, changes) =>
    withEndpoint(operation, id, (endpointPath, stats) =>
      Effect.gen(function* () {
        const { confidential, text } = yield* encodeBody(operation, changes)
        const updated = yield* retryLoop(
          sender,
          {
            operation,
            request: requests.make("PATCH", endpointPath, { body: text }),
            decode: attempt.decodeJson("a readable body", (json) => Option.fromNullable(decode.endpoint(json))),
            // A retry is safe, because a second update with the same values has no effect.
            isRepeatable: true,
            confidential
          },
          stats
        )
        if (Option.isSome(updated)) return updated.value
        return yield* retryLoop(
          sender,
          {
            ...listCall,
            operation,
            decode: attempt.decodeJson("the endpoint", (json) => decode.endpoints(json)?.find((each) => each.id === id))
          },
          stats
        )
      })
    )
}

const remove = (sender: RequestSender): WebhookEndpoints["remove"] => {
  const operation = "webhookEndpoints.remove"
  return (id) =>
    withEndpoint(operation, id, (endpointPath, stats) =>
      retryLoop(
        sender,
        {
          operation,
          request: requests.make("DELETE", endpointPath),
          decode: attempt.decodeAny,
          isRepeatable: true
        },
        stats
      ).pipe(
        Effect.asVoid,
        // If a retry fails with 404 or 410, an earlier attempt has removed the endpoint, but its response was lost.
        Effect.catchIf(
          (error) => isMissing(error) && stats.attempts > 1,
          () => Effect.void
        )
      )
    )
}

const test = (sender: RequestSender): WebhookEndpoints["test"] => {
  const operation = "webhookEndpoints.test"
  return (id) =>
    withEndpoint(operation, id, (endpointPath, stats) =>
      Effect.map(
        retryLoop(
          sender,
          {
            operation,
            request: requests.make("POST", `${endpointPath}/test`),
            decode: attempt.decodeAny,
            // A retry is safe, because receivers must accept that the API delivers any event more than once.
            isRepeatable: true
          },
          stats
        ),
        ({ json }) => json
      )
    )
}

/** @internal */
export const make = (sender: RequestSender): WebhookEndpoints => ({
  create: create(sender),
  list: runOperation(sender, listCall),
  update: update(sender),
  remove: remove(sender),
  test: test(sender)
})
