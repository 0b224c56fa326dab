/**
 * What the API does with webhook endpoints.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type { Answer } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Call, Section } from "../http/apiCall.js"
import * as CallOf from "../http/apiCall.js"
import * as EndpointFields from "./endpointFields.js"
import type { Endpoint, Endpoints } from "./endpoints.js"
import type { Style } from "./endpointView.js"
import * as EndpointView from "./endpointView.js"
import type { Refusals } from "../http/errorResponses.js"

/** @internal */
export const make = (options: {
  readonly endpoints: Endpoints
  readonly refusals: Refusals
  readonly style: Style
  /** Sends a test event on its way, and gives its id. */
  readonly test: (endpoint: Endpoint, now: number) => string
}): Section<"webhookEndpoints"> => {
  const { endpoints, style } = options
  const { invalid, notFound } = options.refusals

  const withEndpoint = ({ id }: Call, answer: (endpoint: Endpoint) => Answer): Answer => {
    const endpoint = endpoints.get(id)
    return endpoint === undefined ? notFound(`Webhook endpoint ${id}`) : answer(endpoint)
  }

  const create = (call: Call): Answer =>
    Either.match(EndpointFields.forCreate(CallOf.bodyText(call)), {
      onLeft: invalid,
      onRight: (settings) => AnswerOf.json(201, EndpointView.created(endpoints.create(settings, call.now), style))
    })

  const update = (call: Call): Answer =>
    withEndpoint(call, (endpoint) =>
      Either.match(EndpointFields.forUpdate(CallOf.bodyText(call)), {
        onLeft: invalid,
        onRight: (change) => AnswerOf.json(200, EndpointView.shown(endpoints.update(endpoint, change), style))
      })
    )

  return {
    "webhookEndpoints.create": create,
    "webhookEndpoints.list": () =>
      AnswerOf.json(200, { endpoints: endpoints.all().map((endpoint) => EndpointView.listed(endpoint, style)) }),
    "webhookEndpoints.update": update,
    "webhookEndpoints.remove": (call) =>
      withEndpoint(call, (endpoint) => {
        endpoints.remove(endpoint)
        return AnswerOf.bytes(204, {})
      }),
    "webhookEndpoints.test": (call) =>
      withEndpoint(call, (endpoint) => AnswerOf.json(200, { event_id: options.test(endpoint, call.now) }))
  }
}
