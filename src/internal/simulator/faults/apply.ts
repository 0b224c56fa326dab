/**
 * Applies a fault to one request or to its response.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { bytesResponse, dropResponse, errorResponse, type ResponseData, Transmission } from "../http/response.js"
import { httpDate } from "../time.js"
import type { Phase, ResetUnit } from "./settings.js"
import type { RequestFault } from "./types.js"

/**
 * One request and its response. `serve` returns the response without a fault. The other fields are used to build a
 * response that replaces this response.
 *
 * @internal
 */
export interface Exchange {
  readonly serve: Effect.Effect<ResponseData>
  /** Adds the headers of every API response. */
  readonly withApiHeaders: (response: ResponseData) => Effect.Effect<ResponseData>
  /** Adds the headers of every HTTP response. */
  readonly withServerHeaders: (response: ResponseData) => Effect.Effect<ResponseData>
  readonly requestId: () => string
  /** The server's time in epoch milliseconds. */
  readonly now: Effect.Effect<number>
}

const droppedResponse = dropResponse(bytesResponse(0, {}))

const lengthToKeep = (body: Uint8Array, keep: number): number =>
  Math.min(body.length, keep < 1 ? Math.floor(body.length * keep) : Math.floor(keep))

const cutBody = (response: ResponseData, keep: number): ResponseData => ({
  ...response,
  transmission: Transmission.Cut({ after: lengthToKeep(response.body, keep) })
})

const truncateBody = (response: ResponseData, keep: number): ResponseData => ({
  ...response,
  body: response.body.subarray(0, lengthToKeep(response.body, keep)),
  transmission: Transmission.Chunked()
})

const mapHeader = (response: ResponseData, name: string, f: (value: string) => string): ResponseData => {
  const value = response.headers[name]
  return value === undefined ? response : { ...response, headers: { ...response.headers, [name]: f(value) } }
}

const omitHeaders = (response: ResponseData, names: ReadonlyArray<string>): ResponseData => ({
  ...response,
  headers: Object.fromEntries(Object.entries(response.headers).filter(([name]) => !names.includes(name)))
})

const lowerCaseNames = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const convertReset = (unit: ResetUnit, seconds: string, now: number): string => {
  switch (unit) {
    case "millis":
      return String(Number(seconds) * 1000)
    case "delta":
      return String(Math.ceil(Number(seconds) - now / 1000))
    case "garbage":
      return "soon"
    case "past":
      return "1710924600" // A sample in the API's documentation contains this time, 2024-03-20.
    case "absurd":
      return "253402300799" // This time is the last second of the year 9999.
  }
}

/**
 * Returns `replacement` instead of the API's response. With the phase `after`, the server first processes the request,
 * and its response is discarded.
 */
const replaceResponse = (
  exchange: Exchange,
  phase: Phase,
  replacement: Effect.Effect<ResponseData>
): Effect.Effect<ResponseData> =>
  phase === "before"
    ? replacement
    : Effect.flatMap(exchange.serve, ({ executionId }) =>
        Effect.map(replacement, (response) => ({ ...response, executionId }))
      )

const rateLimitHeaders = (resetIn: Duration.DurationInput, now: number): Readonly<Record<string, string>> => ({
  "x-ratelimit-remaining": "0",
  "x-ratelimit-reset": String(Math.ceil((now + Duration.toMillis(resetIn)) / 1000))
})

const applyApiError = (
  fault: Extract<RequestFault, { readonly _tag: "ApiError" }>,
  exchange: Exchange
): Effect.Effect<ResponseData> => {
  const { code, headers, message = `Simulated ${code}`, requestId, resetIn, retryAfter } = fault
  const error = Effect.map(exchange.now, (now) => {
    const response = errorResponse({
      ...fault,
      message,
      requestId: requestId === undefined ? exchange.requestId() : requestId
    })
    return {
      ...response,
      headers: {
        ...response.headers,
        ...(resetIn === undefined ? {} : rateLimitHeaders(resetIn, now)),
        ...(retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) }),
        ...lowerCaseNames(headers ?? {})
      }
    }
  })
  return replaceResponse(exchange, fault.phase, Effect.flatMap(error, exchange.withApiHeaders))
}

/** @internal */
export const applyFault = (fault: RequestFault, exchange: Exchange): Effect.Effect<ResponseData> => {
  const { serve } = exchange
  switch (fault._tag) {
    case "DropBefore":
      return Effect.succeed(droppedResponse)
    case "DropAfter":
      return Effect.map(serve, dropResponse)
    case "CutBody":
      return Effect.map(serve, (response) => cutBody(response, fault.keep))
    case "TruncateCleanly":
      return Effect.map(serve, (response) => truncateBody(response, fault.keep))
    case "Delay":
      return fault.phase === "before"
        ? Effect.zipRight(Effect.sleep(fault.millis), serve)
        : Effect.zipLeft(serve, Effect.sleep(fault.millis))
    case "Hang":
      return replaceResponse(exchange, fault.phase, Effect.never)
    case "ApiError":
      return applyApiError(fault, exchange)
    case "Raw": {
      const response = bytesResponse(fault.status, lowerCaseNames(fault.headers ?? {}), fault.body)
      return replaceResponse(exchange, fault.phase, exchange.withServerHeaders(response))
    }
    case "SkewDate":
      return Effect.map(serve, (response) =>
        mapHeader(response, "date", (date) => httpDate(Date.parse(date) + fault.millis))
      )
    case "WithoutHeaders":
      return Effect.map(serve, (response) => omitHeaders(response, fault.names))
    case "ResetUnit":
      return Effect.zipWith(serve, exchange.now, (response, now) =>
        mapHeader(response, "x-ratelimit-reset", (seconds) => convertReset(fault.unit, seconds, now))
      )
  }
}
