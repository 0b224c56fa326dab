/**
 * The methods on API keys.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { ApiKeys } from "../ModelRouteClient.js"
import { call, type Sender } from "./http/retryLoop.js"
import * as decode from "./executions/decode.js"
import * as exchange from "./http/attempt.js"
import * as requests from "./http/requests.js"

const operation = "apiKeys.rotate"

/** @internal */
export const make = (sender: Sender): ApiKeys => ({
  rotate: (id) =>
    Effect.flatMap(requests.segment(operation, "id", id), (segment) =>
      call(sender, {
        operation,
        request: requests.make("POST", `/v1/api-keys/${segment}/rotate`),
        accept: exchange.json("the new key", (json) => decode.rotated(json, id)),
        // The second one would make a second key, and the first be lost.
        repeatable: false
      })
    )
})
