/**
 * Sends a request once, and reads the response within the time limit of an attempt. Returns the decoded value or fails
 * with a `RequestFailure`.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { InvalidRequest, type RequestFailure } from "../../ModelRouteError.js"
import { formatMillis } from "../data/durationText.js"
import * as monotonic from "../data/monotonic.js"
import * as classify from "../errors/classify.js"
import { withSecrets } from "../errors/confidential.js"
import { isTruncatedJson } from "../data/jsonText.js"
import * as envelope from "../errors/envelope.js"
import { hasNoEnvelope } from "../errors/semantics.js"
import type { Permit } from "../rateLimit/permit.js"
import type { AttemptTimeout } from "./attemptTimeout.js"
import { readBody } from "./responseBody.js"
import { describeTransportError, isRejectedRedirect } from "./transportError.js"

/** @internal A response with an unread body. */
export interface ReceivedResponse {
  readonly response: HttpClientResponse.HttpClientResponse
  /**
   * The headers of `response`. Stored here, because some transports build a new object at each access to
   * `response.headers`.
   */
  readonly headers: HttpClientResponse.HttpClientResponse["headers"]
  /** The time when the headers of the response arrived. */
  readonly receivedAt: ReceiptTime
  readonly context: classify.ErrorContext
  /** The milliseconds until the gate admits requests again. Absent unless the response is a 429 with a reset. */
  readonly opensIn?: number | undefined
}

/**
 * The arrival time of a response in milliseconds. `wall` is the time on the wall clock, for comparisons with dates.
 * `monotonic` is the same time on the monotonic clock, for durations.
 *
 * @internal
 */
export interface ReceiptTime {
  readonly wall: number
  readonly monotonic: number
}

/** @internal A call of a client method. All attempts of a call send the same request. */
export interface Call<A> extends Omit<classify.ErrorContext, "attempts"> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Decodes the response. Fails with a `RequestFailure` if the response is unsuccessful or has unexpected content. */
  readonly decode: (received: ReceivedResponse) => Effect.Effect<A, RequestFailure>
  /**
   * The deadline of the call, in monotonic milliseconds. The retry policy can reject a wait for the rate limit only if
   * the wait ends after the deadline.
   */
  readonly deadline?: number
}

/** @internal The time limit of each attempt. */
export interface AttemptLimits {
  readonly duration: Duration.Duration
  readonly withTimeout: AttemptTimeout
}

const MiB = 1024 * 1024
const maxErrorBodyBytes = MiB
const maxSuccessBodyBytes = 64 * MiB

/** @internal */
export const isSuccess = (status: number): boolean => status >= 200 && status < 300

const toResponseData = (
  { headers, opensIn, receivedAt, response }: ReceivedResponse,
  body: Uint8Array
): classify.ResponseData => ({
  status: response.status,
  headers,
  body,
  receivedAt: receivedAt.wall,
  opensIn
})

/** @internal Reads the body of an unsuccessful response and fails with the corresponding error. */
export const failWithResponse = (received: ReceivedResponse): Effect.Effect<never, RequestFailure> =>
  Effect.flatMap(readBody(received.response, maxErrorBodyBytes), ({ bytes, end }) => {
    const error = classify.fromResponse(toResponseData(received, bytes), received.context)
    // A truncated body without an envelope becomes a `TransportError`, because a retry can return the complete
    // envelope.
    const isIncomplete = end === "truncated" && hasNoEnvelope(error)
    return Effect.fail(isIncomplete ? classify.transportError("truncated", received.context) : error)
  })

/**
 * Fails with `UnexpectedResponse`. `problem` describes why the content of a successful response is unusable.
 *
 * @internal
 */
export const failWithProblem = (received: ReceivedResponse, problem: string): Effect.Effect<never, RequestFailure> =>
  Effect.suspend(() =>
    Effect.fail(classify.unexpectedResponse(toResponseData(received, new Uint8Array(0)), received.context, problem))
  )

/**
 * Reads the whole body of a successful response. Fails with `TransportError` if the body is truncated. Fails with
 * `UnexpectedResponse` if the body is larger than 64 MiB.
 *
 * @internal
 */
export const readWholeBody = (received: ReceivedResponse): Effect.Effect<Uint8Array, RequestFailure> =>
  Effect.flatMap(
    readBody(received.response, maxSuccessBodyBytes),
    ({ bytes, end }): Effect.Effect<Uint8Array, RequestFailure> => {
      switch (end) {
        case "complete":
          return Effect.succeed(bytes)
        case "truncated":
          return Effect.fail(classify.transportError("truncated", received.context))
        case "too large": {
          const problem = `the response is larger than ${maxSuccessBodyBytes / MiB} MiB`
          return Effect.fail(classify.unexpectedResponse(toResponseData(received, bytes), received.context, problem))
        }
      }
    }
  )

/**
 * Decodes the JSON body of a successful response with `read`. The first argument of `read` is the parsed JSON, or
 * `undefined` if the body is not JSON. `read` returns `undefined` if the response lacks the required content.
 *
 * `required` is the name of this content in the error message. Fails with `UnexpectedResponse` if `read` returns
 * `undefined`. Fails with `TransportError` if the body is truncated.
 *
 * @internal
 */
export const decodeJson =
  <A>(
    required: string,
    read: (json: unknown, received: ReceivedResponse, text: string) => A | undefined
  ): Call<A>["decode"] =>
  (received) => {
    const { context, response } = received
    if (!isSuccess(response.status)) return failWithResponse(received)
    return Effect.flatMap(readWholeBody(received), (bytes): Effect.Effect<A, RequestFailure> => {
      const text = envelope.decodeText(bytes, received.headers["content-type"])
      const json = envelope.parseJson(text)
      if (envelope.isErrorEnvelope(json)) {
        return Effect.fail(classify.fromResponse(toResponseData(received, bytes), context))
      }
      const value = read(json, received, text)
      if (value !== undefined) return Effect.succeed(value)
      return Effect.fail(
        json === undefined && isTruncatedJson(text)
          ? classify.transportError("truncated", context)
          : classify.unexpectedResponse(toResponseData(received, bytes), context, `the response lacks ${required}`)
      )
    })
  }

/**
 * Decodes any successful response. The body can be JSON, plain text or empty. Fails with `TransportError` if the body
 * is truncated JSON.
 *
 * @internal
 */
export const decodeAny: Call<{ readonly json: unknown }>["decode"] = decodeJson("JSON", (json, _, text) => {
  if (json !== undefined || text === "") return { json }
  return isTruncatedJson(text) ? undefined : { json: text }
})

/**
 * Returns the response of an error that a transformed client creates from a status. `HttpClient.filterStatusOk` creates
 * such errors. The caller then decodes the response as if the client had not failed.
 */
const responseOfStatusError = (
  error: HttpClientError.HttpClientError
): HttpClientResponse.HttpClientResponse | undefined =>
  error._tag === "ResponseError" && error.reason === "StatusCode" ? error.response : undefined

const toRequestFailure = (error: HttpClientError.HttpClientError, context: classify.ErrorContext): RequestFailure => {
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return new InvalidRequest({
      operation: context.operation,
      attempts: context.attempts,
      field: "request",
      message: `${context.operation} was not sent: the HTTP client could not create the request (${error.reason}). Check the base URL and transformClient.`
    })
  }
  if (isRejectedRedirect(error)) return classify.redirectError(context)
  const { reason, text } = describeTransportError(error)
  return classify.transportError(reason, context, text)
}

/** @internal Sends a request and waits for the headers of the response. */
export const sendRequest = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  context: classify.ErrorContext
): Effect.Effect<ReceivedResponse, RequestFailure> =>
  Effect.matchEffect(client.execute(request), {
    onSuccess: (response) => receive(response, context),
    onFailure: (error) => {
      const response = responseOfStatusError(error)
      return response === undefined ? Effect.fail(toRequestFailure(error, context)) : receive(response, context)
    }
  })

const receive = (
  response: HttpClientResponse.HttpClientResponse,
  context: classify.ErrorContext
): Effect.Effect<ReceivedResponse> =>
  Effect.clockWith((clock) => {
    const receivedAt = { wall: clock.unsafeCurrentTimeMillis(), monotonic: monotonic.read(clock) }
    return Effect.succeed({ response, headers: response.headers, receivedAt, context })
  })

/** @internal Client settings for one attempt. */
export interface AttemptOptions {
  readonly client: HttpClient.HttpClient
  readonly attemptLimits: AttemptLimits
  /** The secrets that no error may contain, for example the API key. */
  readonly secrets: ReadonlyArray<string>
}

/**
 * Sends the request of a call, reports the response to the gate and decodes the response. `attempts` is the number of
 * attempts of the call, including this attempt. Fails with `TransportError` if the attempt exceeds its time limit.
 * Other failures come from `decode` or from the transport.
 *
 * @internal
 */
export const runOnce = <A>(
  { attemptLimits, client, secrets }: AttemptOptions,
  { confidential, decode, request, ...fields }: Call<A>,
  attempts: number,
  permit: Permit
): Effect.Effect<A, RequestFailure> => {
  const context: classify.ErrorContext = { ...fields, attempts, confidential: withSecrets(confidential, secrets) }
  const attempt = Effect.flatMap(sendRequest(client, request, context), (received) =>
    Effect.flatMap(permit.reportResponse(received.response.status, received.headers), (opensIn) =>
      decode({ ...received, opensIn })
    )
  )
  return attemptLimits.withTimeout(attempt, () => {
    const limit = formatMillis(Duration.toMillis(attemptLimits.duration))
    return classify.transportError("timeout", context, `the timeout of one attempt is ${limit}`)
  })
}
