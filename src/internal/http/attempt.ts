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
import type { TimeLimit } from "./attemptTimeout.js"
import { diagnose, isRedirect } from "./transportError.js"

/** @internal An answer whose headers are here and whose body is still to be read. */
export interface Arrival {
  readonly response: HttpClientResponse.HttpClientResponse
  /** When the headers arrived. */
  readonly received: Received
  readonly context: classify.Context
  /** Of a rate-limited response: milliseconds until the gate opens again. */
  readonly opensIn?: number | undefined
}

/** @internal One moment on both clocks, in milliseconds: `wall` to compare with dates, `monotonic` to measure durations. */
export interface Received {
  readonly wall: number
  readonly monotonic: number
}

const receivedNow: Effect.Effect<Received> = Effect.clockWith((clock) =>
  Effect.sync(() => ({ wall: clock.unsafeCurrentTimeMillis(), monotonic: monotonic.read(clock) }))
)

/** @internal One call, fixed before its first attempt: every attempt sends the same request. */
export interface Call<A> extends Omit<classify.Context, "attempts"> {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly accept: (arrival: Arrival) => Effect.Effect<A, RequestFailure>
  /** Of a call within a longer wait: until when (monotonic milliseconds) the rate limit may delay it, whatever the policy. */
  readonly deadline?: number
}

/** @internal How long one attempt may take, and what sees to it. */
export interface Limits {
  readonly duration: Duration.Duration
  readonly within: TimeLimit
}

const MiB = 1024 * 1024
const errorLimit = MiB
const successLimit = 64 * MiB

/** @internal */
export const isSuccess = (status: number): boolean => status >= 200 && status < 300

const answerOf = ({ opensIn, received, response }: Arrival, bytes: Uint8Array): classify.Answer => ({
  status: response.status,
  headers: response.headers,
  body: bytes,
  receivedAt: received.wall,
  opensIn
})

/** @internal Reads the body of an unsuccessful answer and fails with what it means. */
export const reject = (arrival: Arrival): Effect.Effect<never, RequestFailure> =>
  Effect.flatMap(body.read(arrival.response, errorLimit), ({ bytes, end }) => {
    const error = classify.classify(answerOf(arrival, bytes), arrival.context)
    // Half an envelope says less than sending again will.
    return Effect.fail(
      end === "cut" && hasNoEnvelope(error) ? classify.unanswered("truncated", arrival.context) : error
    )
  })

/** @internal A success whose content is not usable. */
export const failsWith = (arrival: Arrival, problem: string): Effect.Effect<never, RequestFailure> =>
  Effect.suspend(() => Effect.fail(classify.unexpected(answerOf(arrival, new Uint8Array(0)), arrival.context, problem)))

/** @internal Some servers end a broken body as if it were whole. */
export const isCut = (text: string): boolean => text === "" || (/^\s*[[{]/.test(text) && !/[\]}]\s*$/.test(text))

/** @internal The whole body of a success; one that is cut or too large to hold is a failure. */
export const readWhole = (arrival: Arrival): Effect.Effect<Uint8Array, RequestFailure> =>
  Effect.flatMap(
    body.read(arrival.response, successLimit),
    ({ bytes, end }): Effect.Effect<Uint8Array, RequestFailure> => {
      switch (end) {
        case "whole":
          return Effect.succeed(bytes)
        case "cut":
          return Effect.fail(classify.unanswered("truncated", arrival.context))
        case "overlong": {
          const problem = `the response is larger than ${successLimit / MiB} MiB`
          return Effect.fail(classify.unexpected(answerOf(arrival, bytes), arrival.context, problem))
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
export const json =
  <A>(essence: string, read: (json: unknown, arrival: Arrival, text: string) => A | undefined): Call<A>["accept"] =>
  (arrival) => {
    const { context, response } = arrival
    if (!isSuccess(response.status)) return reject(arrival)
    return Effect.flatMap(readWhole(arrival), (bytes): Effect.Effect<A, RequestFailure> => {
      const answer = answerOf(arrival, bytes)
      const text = classify.decodeText(bytes, response.headers["content-type"])
      const parsed = classify.parseJson(text)
      if (classify.isEnvelope(parsed)) return Effect.fail(classify.classify(answer, context))
      const value = read(parsed, arrival, text)
      if (value !== undefined) return Effect.succeed(value)
      return Effect.fail(
        parsed === undefined && isCut(text)
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
export const anything: Call<{ readonly json: unknown }>["accept"] = json("JSON", (parsed, _, text) => {
  if (parsed !== undefined || text === "") return { json: parsed }
  return isCut(text) ? undefined : { json: text }
})

/** A client of the caller's making can turn a status into a failure; it is an answer all the same. */
const answerIn = (error: HttpClientError.HttpClientError): HttpClientResponse.HttpClientResponse | undefined =>
  error._tag === "ResponseError" && error.reason === "StatusCode" ? error.response : undefined

const unsent = (error: HttpClientError.HttpClientError, context: classify.Context): RequestFailure => {
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return new InvalidRequest({
      operation: context.operation,
      attempts: context.attempts,
      field: "request",
      message: `${context.operation} was not sent: the HTTP client could not make the request (${error.reason}). Check the base URL and transformClient.`
    })
  }
  const { reason, words } = diagnose(error)
  return isRedirect(error) ? classify.redirected(context) : classify.unanswered(reason, context, words)
}

/** @internal Sends a request and waits for the headers of the response. */
export const arrivalOf = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  context: classify.Context
): Effect.Effect<Arrival, RequestFailure> =>
  client.execute(request).pipe(
    Effect.catchAll((error) => {
      const response = answerIn(error)
      return response === undefined ? Effect.fail(unsent(error, context)) : Effect.succeed(response)
    }),
    Effect.flatMap((response) => Effect.map(receivedNow, (received) => ({ response, received, context })))
  )

/** @internal */
export const once = <A>(
  client: HttpClient.HttpClient,
  call: Call<A>,
  options: {
    readonly attempts: number
    readonly limits: Limits
    readonly permit: Permit
    readonly secrets: ReadonlyArray<string>
  }
): Effect.Effect<A, RequestFailure> => {
  const { accept, confidential, request, ...rest } = call
  const context: classify.Context = {
    ...rest,
    attempts: options.attempts,
    confidential: withSecrets(confidential, options.secrets)
  }
  const attempt = Effect.flatMap(arrivalOf(client, request, context), (arrival) =>
    Effect.flatMap(options.permit.reportResponse(arrival.response.status, arrival.response.headers), (opensIn) =>
      accept({ ...arrival, opensIn })
    )
  )
  const { duration, within } = options.limits
  return within(attempt, () =>
    classify.unanswered("timeout", context, `the limit of one attempt is ${seconds(Duration.toMillis(duration))}`)
  )
}
