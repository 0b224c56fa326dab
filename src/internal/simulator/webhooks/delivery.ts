/**
 * Delivers one event to one recipient, with retries.
 *
 * @internal
 */
import * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { concatBytes } from "../../data/bytes.js"
import * as monotonic from "../../data/monotonic.js"
import { hmacSha256Hex } from "../../data/sha256.js"
import type { RingBuffer } from "../ringBuffer.js"
import { sleepUntil } from "./cancellableSleep.js"
import type { DeliveryAttempt, DeliveryFault, DeliveryRecord } from "./deliveryRecord.js"
import type { Event } from "./event.js"

/** @internal The destination of one delivery attempt. */
export interface Destination {
  readonly url: string
  /** Additional headers of the delivery. */
  readonly headers: Readonly<Record<string, string>>
  readonly secret: string
}

/** @internal */
export interface Recipient {
  readonly endpointId: string | undefined
  /** Returns the current destination. Called before each attempt, because an endpoint can change between attempts. */
  readonly destination: () => Destination
  /** Completes when no further attempt is allowed. */
  readonly stopped: Deferred.Deferred<void>
  readonly onSuccess: (now: number) => void
  readonly onFailure: () => void
}

/** @internal */
export interface DeliveryContext {
  /** Returns the current client. Called before each attempt, because `deliverTo` can replace the client. */
  readonly client: () => HttpClient.HttpClient
  readonly log: RingBuffer<DeliveryRecord>
  readonly deliveryFault: (attempt: DeliveryAttempt) => DeliveryFault
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
}

const minuteMillis = 60_000
/** Maximum age of an event when a retry starts. */
const maxEventAgeMillis = 24 * 60 * minuteMillis
const retryDelaysMinutes = [2, 4, 8, 16, 30]
const responseTimeout = "30 seconds"
const encoder = new TextEncoder()

const toRequest = ({ headers, secret, url }: Destination, body: Uint8Array, timestamp: string) =>
  HttpClientRequest.post(url, { headers }).pipe(
    HttpClientRequest.setBody(HttpBody.uint8Array(body, "application/json")),
    HttpClientRequest.setHeaders({
      "user-agent": "ModelRoute-Webhooks/1.0",
      "x-signature-timestamp": timestamp,
      "x-signature": hmacSha256Hex(secret, concatBytes([encoder.encode(`${timestamp}.`), body]))
    })
  )

const isSuccess = (outcome: DeliveryRecord["outcome"]): boolean =>
  typeof outcome === "number" && outcome >= 200 && outcome < 300

/**
 * Sends a request, reads the response body and returns the status. Returns `no response` if the request fails or takes
 * more than 30 seconds.
 */
const execute = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<DeliveryRecord["outcome"]> =>
  client.execute(request).pipe(
    Effect.flatMap((response) => Effect.as(Effect.ignore(Stream.runDrain(response.stream)), response.status)),
    Effect.timeout(responseTimeout),
    Effect.catchAllCause(() => Effect.succeed("no response" as const))
  )

/** Sends one signed request and records its outcome. Returns `true` if the outcome is a 2xx status. */
const send = (
  { client, log, skew }: DeliveryContext,
  attempt: DeliveryAttempt,
  destination: Destination,
  body: Uint8Array,
  isResponseLost: boolean
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const at = yield* monotonic.now
    const pending: DeliveryRecord = { ...attempt, at, outcome: "pending" }
    const replace = log.append(pending)
    const timestamp = String(Math.floor((at + skew) / 1000))
    const response = yield* execute(client(), toRequest(destination, body, timestamp))
    const outcome = isResponseLost ? "no response" : response
    replace({ ...pending, outcome })
    return isSuccess(outcome)
  })

/**
 * Records an attempt whose request is dropped, without sending the request. Returns `false`, because the attempt fails.
 */
const recordDropped = ({ log }: DeliveryContext, attempt: DeliveryAttempt): Effect.Effect<boolean> =>
  Effect.map(monotonic.now, (at) => {
    log.append({ ...attempt, at, outcome: "dropped" })
    return false
  })

const runAttempt = (
  context: DeliveryContext,
  attempt: DeliveryAttempt,
  destination: Destination,
  body: Uint8Array,
  fault: DeliveryFault
): Effect.Effect<boolean> => {
  switch (fault) {
    case "dropBefore":
      return recordDropped(context, attempt)
    case "twice":
      return Effect.zipRight(
        send(context, attempt, destination, body, false),
        send(context, attempt, destination, body, false)
      )
    default:
      return send(context, attempt, destination, body, fault === "dropAfter")
  }
}

const toAttempt = (
  event: Event,
  { endpointId }: Recipient,
  { url }: Destination,
  attempt: number
): DeliveryAttempt => ({
  eventId: event.id,
  type: event.type,
  ...(event.executionId === undefined ? {} : { executionId: event.executionId }),
  ...(endpointId === undefined ? {} : { endpointId }),
  url,
  attempt
})

/**
 * Delivers an event to a recipient. Retries a failed attempt up to 5 times, within 24 hours after the event. Stops when
 * `recipient.stopped` completes.
 *
 * @internal
 */
export const deliver = (context: DeliveryContext, event: Event, recipient: Recipient): Effect.Effect<void> => {
  /**
   * Waits until the time `at` and returns `true`. Returns `false` if the event is older than 24 hours at this time, or
   * if `recipient.stopped` completes.
   */
  const waitUntil = (at: number): Effect.Effect<boolean> =>
    at < event.at + maxEventAgeMillis ? sleepUntil(at, recipient.stopped) : Effect.succeed(false)

  return Effect.gen(function* () {
    for (let n = 1; ; n++) {
      const destination = recipient.destination()
      const attempt = toAttempt(event, recipient, destination, n)
      const fault = context.deliveryFault(attempt)
      if (typeof fault === "object") {
        const delayedUntil = (yield* monotonic.now) + Duration.toMillis(fault.delay)
        if (!(yield* waitUntil(delayedUntil))) return
      }
      const sentAt = yield* monotonic.now
      if (yield* runAttempt(context, attempt, destination, event.body, fault)) {
        return recipient.onSuccess(yield* monotonic.now)
      }
      recipient.onFailure()
      const delayMinutes = retryDelaysMinutes[n - 1]
      if (delayMinutes === undefined || !(yield* waitUntil(sentAt + delayMinutes * minuteMillis))) return
    }
  })
}
