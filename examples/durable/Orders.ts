/**
 * A customer of the web server. Sends orders and waits for their results, also while the server restarts.
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import { Data, Effect, Schedule } from "effect"

/** The execution of an order has failed. */
export class OrderFailed extends Data.TaggedError("OrderFailed")<{ readonly message: string }> {}

/** Creates a customer of the server at `url`. */
export const make = (url: string) =>
  Effect.map(HttpClient.HttpClient, (client) => {
    /** Repeats a request until the response has the expected status. */
    const untilStatus = (send: ReturnType<HttpClient.HttpClient["get"]>, expected: number) =>
      send.pipe(
        Effect.flatMap((response) =>
          Effect.map(response.text, (text) => ({ isExpected: response.status === expected, response, text }))
        ),
        Effect.retry(Schedule.spaced("500 millis")),
        Effect.tap(({ response, text }) =>
          response.status >= 400 && response.status < 500
            ? new OrderFailed({ message: `${response.request.url}: ${text}` })
            : Effect.void
        ),
        Effect.repeat({ until: ({ isExpected }) => isExpected, schedule: Schedule.spaced("100 millis") })
      )

    return {
      send: (id: string, prompt: string) =>
        untilStatus(client.put(`${url}/orders/${id}`, { body: HttpBody.text(prompt) }), 202),
      awaitResult: (id: string) => untilStatus(client.get(`${url}/orders/${id}`), 200)
    }
  })
