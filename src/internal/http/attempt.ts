/**
 * One attempt: send the request, read the answer, within the time limit. Whatever comes back is a value or a declared error.
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
import * as body from "./responseBody.js"
import * as classify from "../errors/classify.js"
import type { Permit } from "../rateLimit/permit.js"
import { seconds } from "../errors/messages.js"
import { hasNoEnvelope } from "../errors/semantics.js"
import * as monotonic from "../data/monotonic.js"
import { withSecrets } from "../errors/redact.js"
import type { AttemptTimeout } from "./attemptTimeout.js"
import { describeTransportError, isRefusedRedirect } from "./transportError.js"

/** @internal An answer whose headers are here and whose body is still to be read. */
export interface ReceivedResponse {
  readonly response: HttpClientResponse.HttpClientResponse
  /** When the headers arrived. */
  readonly receivedAt: ReceiptTime
  readonly context: classify.Context
  /** Of a rate-limited response: milliseconds until the gate opens again. */
  readonly opensIn?: number | undefined
}

/** @internal One moment on both clocks, in milliseconds: `wall` to compare with dates, `monotonic` to measure durations. */
export interface ReceiptTime {
  readonly wall: number
  readonly monotonic: number
}

const readReceiptTime: Effect.Effect<ReceiptTime> = Effect.clockWith((clock) =>
  Effect.sync(() => ({ wall: clock.unsafeCurrentTimeMillis(), monotonic: monotonic.read(clock) }))
)

/** @internal One call, fixed before its first attempt: every attempt sends the same request. */
export interface Call<A> extends Omit<classify.Context, "attempts"> {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly decode: (received: ReceivedResponse) => Effect.Effect<A, RequestFailure>
  /** Of a call within a longer wait: until when (monotonic milliseconds) the rate limit may delay it, whatever the policy. */
  readonly deadline?: number
}

/** @internal How long one attempt may take, and what sees to it. */
export interface AttemptLimits {
  readonly duration: Duration.Duration
  readonly withTimeout: AttemptTimeout
}

const MiB = 1024 * 1024
const maxErrorBodyBytes = MiB
const maxSuccessBodyBytes = 64 * MiB

/** @internal */
export const isSuccess = (status: number): boolean => status >= 200 && status < 300

const toResponseData = ({ opensIn, receivedAt, response }: ReceivedResponse, bytes: Uint8Array): classify.Answer => ({
  status: response.status,
  headers: response.headers,
  body: bytes,
  receivedAt: receivedAt.wall,
  opensIn
})

/** @internal Reads the body of an unsuccessful answer and fails with what it means. */
export const failWithResponse = (received: ReceivedResponse): Effect.Effect<never, RequestFailure> =>
  Effect.flatMap(body.readBody(received.response, maxErrorBodyBytes), ({ bytes, end }) => {
    const error = classify.classify(toResponseData(received, bytes), received.context)
    // Half an envelope says less than sending again will.
    return Effect.fail(
      end === "cut" && hasNoEnvelope(error) ? classify.unanswered("truncated", received.context) : error
    )
  })

/** @internal A success whose content is not usable. */
export const failWithProblem = (received: ReceivedResponse, problem: string): Effect.Effect<never, RequestFailure> =>
  Effect.suspend(() =>
    Effect.fail(classify.unexpected(toResponseData(received, new Uint8Array(0)), received.context, problem))
  )

/** @internal Some servers end a broken body as if it were whole. */
export const isTruncatedText = (text: string): boolean =>
  text === "" || (/^\s*[[{]/.test(text) && !/[\]}]\s*$/.test(text))

/** @internal The whole body of a success; one that is cut or too large to hold is a failure. */
export const readWholeBody = (received: ReceivedResponse): Effect.Effect<Uint8Array, RequestFailure> =>
  Effect.flatMap(
    body.readBody(received.response, maxSuccessBodyBytes),
    ({ bytes, end }): Effect.Effect<Uint8Array, RequestFailure> => {
      switch (end) {
        case "whole":
          return Effect.succeed(bytes)
        case "cut":
          return Effect.fail(classify.unanswered("truncated", received.context))
        case "overlong": {
          const problem = `the response is larger than ${maxSuccessBodyBytes / MiB} MiB`
          return Effect.fail(classify.unexpected(toResponseData(received, bytes), received.context, problem))
        }
      }
    }
  )

/**
 * Accepts a success whose JSON `read` can make something of. `read` gets `undefined` for an empty or unreadable body and
 * answers `undefined` where the essence is missing.
 *
 * @internal
 */
export const decodeJson =
  <A>(
    essence: string,
    read: (json: unknown, received: ReceivedResponse, text: string) => A | undefined
  ): Call<A>["decode"] =>
  (received) => {
    const { context, response } = received
    if (!isSuccess(response.status)) return failWithResponse(received)
    return Effect.flatMap(readWholeBody(received), (bytes): Effect.Effect<A, RequestFailure> => {
      const answer = toResponseData(received, bytes)
      const text = classify.decodeText(bytes, response.headers["content-type"])
      const parsed = classify.parseJson(text)
      if (classify.isEnvelope(parsed)) return Effect.fail(classify.classify(answer, context))
      const value = read(parsed, received, text)
      if (value !== undefined) return Effect.succeed(value)
      return Effect.fail(
        parsed === undefined && isTruncatedText(text)
          ? classify.unanswered("truncated", context)
          : classify.unexpected(answer, context, `the response lacks ${essence}`)
      )
    })
  }

/**
 * Accepts any success: nothing and plain text are answers, too; JSON that breaks off is none.
 *
 * @internal
 */
export const decodeAny: Call<{ readonly json: unknown }>["decode"] = decodeJson("JSON", (parsed, _, text) => {
  if (parsed !== undefined || text === "") return { json: parsed }
  return isTruncatedText(text) ? undefined : { json: text }
})

/** A client of the caller's making can turn a status into a failure; it is an answer all the same. */
const responseOfStatusError = (
  error: HttpClientError.HttpClientError
): HttpClientResponse.HttpClientResponse | undefined =>
  error._tag === "ResponseError" && error.reason === "StatusCode" ? error.response : undefined

const toRequestFailure = (error: HttpClientError.HttpClientError, context: classify.Context): RequestFailure => {
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return new InvalidRequest({
      operation: context.operation,
      attempts: context.attempts,
      field: "request",
      message: `${context.operation} was not sent: the HTTP client could not make the request (${error.reason}). Check the base URL and transformClient.`
    })
  }
  const { reason, words } = describeTransportError(error)
  return isRefusedRedirect(error) ? classify.redirected(context) : classify.unanswered(reason, context, words)
}

/** @internal Sends a request and waits for the headers of the response. */
export const sendRequest = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  context: classify.Context
): Effect.Effect<ReceivedResponse, RequestFailure> =>
  client.execute(request).pipe(
    Effect.catchAll((error) => {
      const response = responseOfStatusError(error)
      return response === undefined ? Effect.fail(toRequestFailure(error, context)) : Effect.succeed(response)
    }),
    Effect.flatMap((response) => Effect.map(readReceiptTime, (receivedAt) => ({ response, receivedAt, context })))
  )

/** @internal */
export const runOnce = <A>(
  client: HttpClient.HttpClient,
  call: Call<A>,
  options: {
    readonly attempts: number
    readonly limits: AttemptLimits
    readonly permit: Permit
    readonly secrets: ReadonlyArray<string>
  }
): Effect.Effect<A, RequestFailure> => {
  const { decode, confidential, request, ...rest } = call
  const context: classify.Context = {
    ...rest,
    attempts: options.attempts,
    confidential: withSecrets(confidential, options.secrets)
  }
  const attempt = Effect.flatMap(sendRequest(client, request, context), (received) =>
    Effect.flatMap(options.permit.reportResponse(received.response.status, received.response.headers), (opensIn) =>
      decode({ ...received, opensIn })
    )
  )
  const { duration, withTimeout } = options.limits
  return withTimeout(attempt, () =>
    classify.unanswered("timeout", context, `the limit of one attempt is ${seconds(Duration.toMillis(duration))}`)
  )
}
