/** Compares the CPU time of a call that the server rejects with validation details. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Schema } from "effect"
import { RetryPolicy } from "effect-modelroute"
import {
  createRequest,
  effectContestant,
  makeModelRoute,
  promiseContestant,
  requestWithHttpClient,
  requestWithUndici
} from "./contestants.js"
import type { Group } from "./figure.js"
import { builtInFetchFlags, type Contestant, type Load, measureLoads, withServer } from "./measure.js"

const Envelope = Schema.Struct({
  error: Schema.Struct({
    code: Schema.String,
    message: Schema.String,
    retryable: Schema.Boolean,
    request_id: Schema.String,
    details: Schema.Array(Schema.Struct({ field: Schema.String, code: Schema.String, message: Schema.String }))
  })
})

const decodeEnvelope = HttpClientResponse.schemaBodyJson(Envelope)

const failWithEnvelope = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(decodeEnvelope(response), ({ error }) => Effect.fail(error))

/** Returns the error of a call with the plain `HttpClient`. Decodes the error with a schema. */
const makePlainCall = (baseUrl: string) =>
  Effect.map(HttpClient.HttpClient, (client) =>
    Effect.suspend(() => requestWithHttpClient(client, baseUrl)).pipe(
      Effect.flatMap((response) => (response.status >= 400 ? failWithEnvelope(response) : response.json)),
      Effect.flip
    )
  )

const makeModelRouteCall = (baseUrl: string) =>
  Effect.map(makeModelRoute(baseUrl, { retry: RetryPolicy.none }), ({ executions }) =>
    Effect.suspend(() => Effect.flip(executions.create(createRequest)))
  )

const callWithUndici = async (baseUrl: string): Promise<unknown> => {
  const { body } = await requestWithUndici(baseUrl)
  return JSON.parse(await body.text())
}

const contestantsOf = async (baseUrl: string): Promise<ReadonlyArray<Contestant>> => [
  promiseContestant("undici and JSON.parse", () => callWithUndici(baseUrl)),
  await effectContestant("HttpClient over undici", "undici", makePlainCall(baseUrl)),
  await effectContestant("effect-modelroute over undici", "undici", makeModelRouteCall(baseUrl))
]

const makeLoad = async (url: string, details: number, calls: number): Promise<Load> => ({
  name: `error with ${details.toLocaleString("en")} ${details === 1 ? "detail" : "details"}, sequential`,
  contestants: await contestantsOf(`${url}/errors-${details}`),
  calls,
  samples: 10,
  concurrency: 1,
  metrics: ["CPU"]
})

export const errors: Group = {
  name: "errors",
  nodeFlags: builtInFetchFlags,
  measure: (rounds) =>
    withServer(async (url) =>
      measureLoads([await makeLoad(url, 1, 25), await makeLoad(url, 100, 20), await makeLoad(url, 10_000, 1)], rounds)
    ),
  ratios: [
    { contestant: "effect-modelroute over undici", peer: "HttpClient over undici" },
    { contestant: "effect-modelroute over undici", peer: "undici and JSON.parse" }
  ]
}
