/**
 * The methods on API keys.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { ApiKeys } from "../ModelRouteClient.js"
import { call, type Sender } from "./call.js"
import * as decode from "./decode.js"
import * as exchange from "./exchange.js"
import * as requests from "./requests.js"

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
