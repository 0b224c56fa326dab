/** Sends raw requests to a simulator in memory, without the client of this library. */
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
  /** Empty if the body is not a JSON object. */
  readonly json: Json
}

type SendEffect = Effect.Effect<ApiResponse, HttpClientError.HttpClientError, HttpClient.HttpClient>

export const send = (request: HttpClientRequest.HttpClientRequest): SendEffect =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const response = yield* client.execute(request)
    const bytes = new Uint8Array(yield* response.arrayBuffer)
    const text = new TextDecoder().decode(bytes)
    const json = yield* Schema.decodeUnknown(Schema.parseJson(Json))(text).pipe(Effect.orElseSucceed(() => ({})))
    return { status: response.status, headers: response.headers, bytes, text, json }
  })

export const url = (path: string): string => `https://api.modelroute.ai/v1${path}`

export const call = (
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  key = "sk_test"
): SendEffect =>
  send(
    HttpClientRequest.make(method)(url(path)).pipe(
      HttpClientRequest.bearerToken(key),
      body === undefined ? (self) => self : HttpClientRequest.bodyUnsafeJson(body)
    )
  )

/** Returns a nested JSON object. */
export const objectAt = (json: Json, name: string): Json => Schema.decodeUnknownSync(Json)(json[name])

export const listAt = (json: Json, name: string): ReadonlyArray<Json> =>
  Schema.decodeUnknownSync(Schema.Array(Json))(json[name])

/** Returns the status and the code of an error envelope, and the field and code of each detail. */
export const describeError = (reply: ApiResponse): ReadonlyArray<unknown> => {
  const error = objectAt(reply.json, "error")
  const details = error["details"] === undefined ? [] : listAt(error, "details")
  return [reply.status, error["code"], ...details.map(({ code, field }) => `${String(field)} ${String(code)}`)]
}

/** Defines a test that starts at `start`, on a simulator. The simulator has no rate limit by default. */
export const test = <E>(
  name: string,
  options: Simulator.Options,
  body: Effect.Effect<void, E, HttpClient.HttpClient | Simulator.Simulator>
): void =>
  it.effect(name, () =>
    Effect.zipRight(TestClock.setTime(start), body).pipe(
      Effect.provide(Simulator.layer({ rateLimit: false, ...options }))
    )
  )
