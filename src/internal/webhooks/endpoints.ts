/**
 * Implements the methods on webhook endpoints.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { RequestFailure } from "../../ModelRouteError.js"
import type { EndpointId, UpdateRequest } from "../../WebhookEndpoint.js"
import { isWebAddress, present } from "../data/lenient.js"
import { invalid } from "../errors/invalidRequest.js"
import { isMissing } from "../errors/semantics.js"
import * as exchange from "../http/attempt.js"
import * as requests from "../http/requests.js"
import { call, send, type Sender } from "../http/retryLoop.js"
import { type Account, spanned } from "../telemetry.js"
import * as decode from "./endpointDecode.js"
import type { WebhookEndpoints } from "./endpointTypes.js"

const path = "/v1/webhooks/endpoints"

/** Returns the JSON body of a request, and the header values that no error may show. */
const encodeBody = (operation: string, { headers, isActive, ...rest }: UpdateRequest) => {
  if (rest.url !== undefined && !isWebAddress(rest.url)) {
    return Effect.fail(
      invalid(operation, "url", "is not an absolute http(s) URL", "Give one such as https://example.com/webhooks.")
    )
  }
  const values = headers && Record.map(headers, (value) => (Redacted.isRedacted(value) ? Redacted.value(value) : value))
  return Effect.map(
    requests.jsonBody(
      operation,
      { ...rest, headers: values },
      present({ ...rest, headers: values, is_active: isActive })
    ),
    ({ text }) => ({ text, confidential: { secrets: Object.values(values ?? {}) } })
  )
}

/** Runs an operation on one endpoint in its span. `use` gets the path of the endpoint. */
const withEndpoint = <A>(
  operation: string,
  id: EndpointId,
  use: (path: string, account: Account) => Effect.Effect<A, RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    const account: Account = { attempts: 0 }
    const segment: Effect.Effect<string, RequestFailure> = requests.segment(operation, "id", id)
    return spanned(
      operation,
      account,
      Effect.flatMap(segment, (encodedId) => use(`${path}/${encodedId}`, account))
    )
  })

const create = (sender: Sender): WebhookEndpoints["create"] => {
  const operation = "webhookEndpoints.create"
  return (request) =>
    Effect.flatMap(encodeBody(operation, request), ({ confidential, text }) =>
      call(sender, {
        operation,
        request: requests.make("POST", path, { body: text }),
        accept: exchange.json("the endpoint's id and secret", decode.createdEndpoint),
        // A second request would create a second endpoint, and every event would be delivered twice.
        repeatable: false,
        confidential
      })
    )
}

const listCall = {
  operation: "webhookEndpoints.list",
  request: requests.make("GET", path),
  accept: exchange.json("a list of endpoints", decode.endpoints),
  repeatable: true
}

const update = (sender: Sender): WebhookEndpoints["update"] => {
  const operation = "webhookEndpoints.update"
  return (id, changes) =>
    withEndpoint(operation, id, (endpointPath, account) =>
      Effect.gen(function* () {
        const { confidential, text } = yield* encodeBody(operation, changes)
        const updated = yield* send(
          sender,
          {
            operation,
            request: requests.make("PATCH", endpointPath, { body: text }),
            accept: exchange.json("a readable body", (json) => Option.fromNullable(decode.endpoint(json))),
            // The same values have no further effect.
            repeatable: true,
            confidential
          },
          account
        )
        if (Option.isSome(updated)) return updated.value
        return yield* send(
          sender,
          {
            ...listCall,
            operation,
            accept: exchange.json("the endpoint", (json) => decode.endpoints(json)?.find((each) => each.id === id))
          },
          account
        )
      })
    )
}

const remove = (sender: Sender): WebhookEndpoints["remove"] => {
  const operation = "webhookEndpoints.remove"
  return (id) =>
    withEndpoint(operation, id, (endpointPath, account) =>
      send(
        sender,
        {
          operation,
          request: requests.make("DELETE", endpointPath),
          accept: exchange.anything,
          repeatable: true
        },
        account
      ).pipe(
        Effect.asVoid,
        // An earlier attempt removed it, and its response was lost.
        Effect.catchIf(
          (error) => isMissing(error) && account.attempts > 1,
          () => Effect.void
        )
      )
    )
}

const test = (sender: Sender): WebhookEndpoints["test"] => {
  const operation = "webhookEndpoints.test"
  return (id) =>
    withEndpoint(operation, id, (endpointPath, account) =>
      Effect.map(
        send(
          sender,
          {
            operation,
            request: requests.make("POST", `${endpointPath}/test`),
            accept: exchange.anything,
            // The API may deliver any event twice.
            repeatable: true
          },
          account
        ),
        ({ json }) => json
      )
    )
}

/** @internal */
export const make = (sender: Sender): WebhookEndpoints => ({
  create: create(sender),
  list: call(sender, listCall),
  update: update(sender),
  remove: remove(sender),
  test: test(sender)
})
