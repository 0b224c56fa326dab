/** A receiver of webhooks in memory that keeps what it gets, and answers as the test says. */
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

/** By the documentation's own words, with Node's own means. */
export const isSigned = ({ headers, text }: Pick<ReceivedEvent, "headers" | "text">, secret: string): boolean =>
  headers["x-signature"] ===
  createHmac("sha256", secret).update(`${headers["x-signature-timestamp"]}.`).update(text).digest("hex")

export const makeReceiver = (
  answer: (received: ReceivedEvent, n: number) => number | Effect.Effect<number> | Response = () => 204
) => {
  const received: Array<ReceivedEvent> = []
  const client = Receiver.fromApp(
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const text = yield* request.text
      const got: ReceivedEvent = {
        at: (yield* Clock.currentTimeMillis) - start,
        path: request.url,
        headers: request.headers,
        text,
        json: Schema.decodeUnknownSync(Schema.parseJson(Json))(text)
      }
      const answered = answer(got, received.push(got))
      if (answered instanceof Response) return HttpServerResponse.raw(answered, { status: answered.status })
      const status = typeof answered === "number" ? answered : yield* answered
      return HttpServerResponse.empty({ status })
    })
  )
  return { client, received }
}
