/** Sends HTTP requests to a simulator in memory, without the client of this library. */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "./harness.js"

export const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type Json = typeof Json.Type

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  readonly text: string
  /** Body as a JSON object. Empty if the body is not a JSON object. */
  readonly json: Json
}

type SendEffect<A = ApiResponse> = Effect.Effect<A, HttpClientError.HttpClientError, HttpClient.HttpClient>

export const send = (request: HttpClientRequest.HttpClientRequest): SendEffect =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const response = yield* client.execute(request)
    const bytes = new Uint8Array(yield* response.arrayBuffer)
    const text = new TextDecoder().decode(bytes)
    const json = yield* Schema.decodeUnknown(Schema.parseJson(Json))(text).pipe(Effect.orElseSucceed(() => ({})))
    return { status: response.status, headers: response.headers, bytes, text, json }
  })

export const toUrl = (path: string): string => `https://api.modelroute.ai/v1${path}`

/** Adds an API key that every simulator accepts by default. */
export const withApiKey = HttpClientRequest.bearerToken("sk_test")

export const call = (
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  apiKey = "sk_test"
): SendEffect =>
  send(
    HttpClientRequest.make(method)(toUrl(path)).pipe(
      HttpClientRequest.bearerToken(apiKey),
      body === undefined ? (self) => self : HttpClientRequest.bodyUnsafeJson(body)
    )
  )

/**
 * Create request for the built-in image model. The execution starts after 1,000 ms and completes after 8,420 ms.
 */
export const fluxRequest = { model: "flux-1.1-pro", input: { prompt: "a lighthouse" } }

export const createExecution = (body: unknown = fluxRequest, idempotencyKey?: string): SendEffect =>
  send(
    HttpClientRequest.post(toUrl("/executions")).pipe(
      withApiKey,
      HttpClientRequest.bodyUnsafeJson(body),
      idempotencyKey === undefined ? (self) => self : HttpClientRequest.setHeader("Idempotency-Key", idempotencyKey)
    )
  )

export const idOf = ({ json }: ApiResponse): string => String(json["id"])

export const getStatus = (executionId: string): SendEffect<unknown> =>
  Effect.map(call("GET", `/executions/${executionId}`), ({ json }) => json["status"])

/** Returns a field and asserts that its value is a JSON object. */
export const objectAt = (json: Json, name: string): Json => Schema.decodeUnknownSync(Json)(json[name])

/** Returns a field and asserts that its value is an array of JSON objects. */
export const listAt = (json: Json, name: string): ReadonlyArray<Json> =>
  Schema.decodeUnknownSync(Schema.Array(Json))(json[name])

/** Returns the error of an error envelope. */
export const errorOf = ({ json }: ApiResponse): Json => objectAt(json, "error")

/** Returns the status and code of an error response, and the field and code of each detail. */
export const describeError = (response: ApiResponse): ReadonlyArray<unknown> => {
  const error = errorOf(response)
  const details = error["details"] === undefined ? [] : listAt(error, "details")
  return [response.status, error["code"], ...details.map(({ code, field }) => `${String(field)} ${String(code)}`)]
}

/** Returns the status and the error code of a storage response. */
export const describeStorageError = ({
  status,
  text
}: Pick<ApiResponse, "status" | "text">): readonly [number, string | undefined] => [
  status,
  /<Code>(\w+)<\/Code>/.exec(text)?.[1]
]

/** Registers a test that starts at `start`, with a new simulator in memory. */
export const test = <E>(
  title: string,
  options: Simulator.Options,
  body: Effect.Effect<void, E, HttpClient.HttpClient | Simulator.Simulator>
): void =>
  it.effect(title, () => Effect.zipRight(TestClock.setTime(start), body).pipe(Effect.provide(Simulator.layer(options))))
