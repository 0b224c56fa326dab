/**
 * Handles the webhook endpoint operations of the API.
 *
 * @internal
 */
import * as Either from "effect/Either"
import { type ApiCall, bodyText, type ResourceHandlers } from "../http/apiCall.js"
import type { ErrorResponses } from "../http/errorResponses.js"
import { bytesResponse, jsonResponse, type ResponseData } from "../http/response.js"
import * as EndpointFields from "./endpointFields.js"
import type { Endpoint, Endpoints } from "./endpoints.js"
import * as EndpointView from "./endpointView.js"

interface ApiContext {
  readonly endpoints: Endpoints
  readonly errorResponses: ErrorResponses
  readonly style: EndpointView.Style
  /** Sends a test event and returns its id. */
  readonly sendTest: (endpoint: Endpoint, now: number) => string
}

/** Calls `respond` with the endpoint in the path. Returns a 404 if the endpoint does not exist. */
const withEndpoint = (
  { endpoints, errorResponses }: ApiContext,
  { id }: ApiCall,
  respond: (endpoint: Endpoint) => ResponseData
): ResponseData => {
  const endpoint = endpoints.get(id)
  return endpoint === undefined ? errorResponses.resourceNotFound(`Webhook endpoint ${id}`) : respond(endpoint)
}

const create = ({ endpoints, errorResponses, style }: ApiContext, call: ApiCall): ResponseData =>
  Either.match(EndpointFields.decodeCreate(bodyText(call)), {
    onLeft: errorResponses.invalidInput,
    onRight: (settings) => jsonResponse(201, EndpointView.toCreatedBody(endpoints.create(settings, call.now), style))
  })

const list = ({ endpoints, style }: ApiContext): ResponseData =>
  jsonResponse(200, { endpoints: endpoints.all().map((endpoint) => EndpointView.toListEntry(endpoint, style)) })

const update = (context: ApiContext, call: ApiCall): ResponseData =>
  withEndpoint(context, call, (endpoint) =>
    Either.match(EndpointFields.decodeUpdate(bodyText(call)), {
      onLeft: context.errorResponses.invalidInput,
      onRight: (changes) =>
        jsonResponse(200, EndpointView.toEndpointBody(context.endpoints.update(endpoint, changes), context.style))
    })
  )

const remove = (context: ApiContext, call: ApiCall): ResponseData =>
  withEndpoint(context, call, (endpoint) => {
    context.endpoints.remove(endpoint)
    return bytesResponse(204, {})
  })

const test = (context: ApiContext, call: ApiCall): ResponseData =>
  withEndpoint(context, call, (endpoint) => jsonResponse(200, { event_id: context.sendTest(endpoint, call.now) }))

/** @internal */
export const make = (context: ApiContext): ResourceHandlers<"webhookEndpoints"> => ({
  "webhookEndpoints.create": (call) => create(context, call),
  "webhookEndpoints.list": () => list(context),
  "webhookEndpoints.update": (call) => update(context, call),
  "webhookEndpoints.remove": (call) => remove(context, call),
  "webhookEndpoints.test": (call) => test(context, call)
})
