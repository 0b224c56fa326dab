/** Provides a webhook receiver in memory. The receiver records deliveries and responds as the test defines. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHmac } from "node:crypto"
import * as Receiver from "../../src/internal/simulator/webhooks/receiver.js"
import { start } from "./harness.js"
import { Json } from "./rawApi.js"

export interface ReceivedEvent {
  /** Milliseconds after `start`. */
  readonly at: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly json: Json
}

/** Verifies a signature with `node:crypto`, independently of this library. See the API page "Webhooks overview". */
export const isSigned = ({ headers, text }: Pick<ReceivedEvent, "headers" | "text">, secret: string): boolean =>
  headers["x-signature"] ===
  createHmac("sha256", secret).update(`${headers["x-signature-timestamp"]}.`).update(text).digest("hex")

export const makeReceiver = (
  respond: (received: ReceivedEvent, n: number) => number | Effect.Effect<number> | Response = () => 204
) => {
  const received: Array<ReceivedEvent> = []
  const client = Receiver.fromApp(
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const text = yield* request.text
      const delivery: ReceivedEvent = {
        at: (yield* Clock.currentTimeMillis) - start,
        path: request.url,
        headers: request.headers,
        text,
        json: Schema.decodeUnknownSync(Schema.parseJson(Json))(text)
      }
      const response = respond(delivery, received.push(delivery))
      if (response instanceof Response) return HttpServerResponse.raw(response, { status: response.status })
      const status = typeof response === "number" ? response : yield* response
      return HttpServerResponse.empty({ status })
    })
  )
  return { client, received }
}
