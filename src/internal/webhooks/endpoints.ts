/**
 * The methods on the endpoints that webhooks are delivered to.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { WebhookEndpoints } from "./endpointTypes.js"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { UpdateRequest } from "../../WebhookEndpoint.js"
import { call, send, type Sender } from "../http/retryLoop.js"
import * as decode from "./endpointDecode.js"
import * as exchange from "../http/attempt.js"
import { invalid } from "../errors/invalidRequest.js"
import * as requests from "../http/requests.js"
import { isMissing } from "../errors/semantics.js"
import { type Account, spanned } from "../telemetry.js"
import { isWebAddress, present } from "../data/lenient.js"

const path = "/v1/webhooks/endpoints"

/** A body as the API wants it, and what of it no error may quote. */
const bodyOf = (operation: string, { headers, isActive, ...rest }: UpdateRequest) => {
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

const list = {
  operation: "webhookEndpoints.list",
  request: requests.make("GET", path),
  accept: exchange.json("a list of endpoints", decode.endpoints),
  repeatable: true
}

/** @internal */
export const make = (sender: Sender): WebhookEndpoints => {
  const onOne = <A>(
    operation: string,
    id: string,
    use: (path: string, account: Account) => Effect.Effect<A, RequestFailure>
  ): Effect.Effect<A, RequestFailure> =>
    Effect.suspend(() => {
      const account: Account = { attempts: 0 }
      const found: Effect.Effect<string, InvalidRequest> = requests.segment(operation, "id", id)
      return spanned(
        operation,
        account,
        Effect.flatMap(found, (segment) => use(`${path}/${segment}`, account))
      )
    })

  return {
    create: (request) => {
      const operation = "webhookEndpoints.create"
      return Effect.flatMap(bodyOf(operation, request), ({ confidential, text }) =>
        call(sender, {
          operation,
          request: requests.make("POST", path, { body: text }),
          accept: exchange.json("the endpoint's id and secret", decode.registered),
          // The second one would register a second endpoint, and every event be delivered twice.
          repeatable: false,
          confidential
        })
      )
    },

    list: call(sender, list),

    update: (id, changes) => {
      const operation = "webhookEndpoints.update"
      return onOne(operation, id, (one, account) =>
        Effect.gen(function* () {
          const { confidential, text } = yield* bodyOf(operation, changes)
          const changed = yield* send(
            sender,
            {
              operation,
              request: requests.make("PATCH", one, { body: text }),
              accept: exchange.json("a readable body", (json) => Option.fromNullable(decode.endpoint(json))),
              // The same values once more change nothing.
              repeatable: true,
              confidential
            },
            account
          )
          if (Option.isSome(changed)) return changed.value
          return yield* send(
            sender,
            {
              ...list,
              operation,
              accept: exchange.json("the endpoint", (json) => decode.endpoints(json)?.find((each) => each.id === id))
            },
            account
          )
        })
      )
    },

    remove: (id) => {
      const operation = "webhookEndpoints.remove"
      return onOne(operation, id, (one, account) =>
        send(
          sender,
          { operation, request: requests.make("DELETE", one), accept: exchange.anything, repeatable: true },
          account
        ).pipe(
          Effect.asVoid,
          // An earlier request, whose answer was lost, has removed it.
          Effect.catchIf(
            (error) => isMissing(error) && account.attempts > 1,
            () => Effect.void
          )
        )
      )
    },

    test: (id) => {
      const operation = "webhookEndpoints.test"
      return onOne(operation, id, (one, account) =>
        Effect.map(
          send(
            sender,
            {
              operation,
              request: requests.make("POST", `${one}/test`),
              accept: exchange.anything,
              // Events can come twice anyway.
              repeatable: true
            },
            account
          ),
          ({ json }) => json
        )
      )
    }
  }
}
