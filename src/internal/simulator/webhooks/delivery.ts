/**
 * The way of one event to one receiver: sent, and sent again while that fails, but not for ever.
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
import * as monotonic from "../../data/monotonic.js"
import { until } from "./cancellableSleep.js"
import type { Bounded } from "../ringBuffer.js"
import type { DeliveryAttempt, DeliveryRecord, DeliveryFault } from "./deliveryRecord.js"
import type { Event } from "./event.js"
import { join } from "../../data/bytes.js"
import { hmacSha256Hex } from "../../data/sha256.js"

/** @internal Where a delivery goes to, as it is at the moment of an attempt. */
export interface Target {
  readonly url: string
  /** Added to the API's own. */
  readonly headers: Readonly<Record<string, string>>
  readonly secret: string
}

/** @internal */
export interface Recipient {
  readonly endpointId: string | undefined
  readonly target: () => Target
  /** Done as soon as nothing more should be tried. */
  readonly stopped: Deferred.Deferred<void>
  readonly succeeded: (now: number) => void
  readonly failed: () => void
}

/** @internal */
export interface Courier {
  /** As it is at the moment of an attempt. */
  readonly client: () => HttpClient.HttpClient
  readonly log: Bounded<DeliveryRecord>
  readonly disturb: (attempt: DeliveryAttempt) => DeliveryFault
  /** The server's clock less the Clock, in milliseconds. */
  readonly skew: number
}

const minute = 60_000
/** How long after its event a delivery may still go out. */
const life = 24 * 60 * minute
/** In minutes, from one attempt to the next. */
const pauses = [2, 4, 8, 16, 30]
const deadline = "30 seconds"
const encoder = new TextEncoder()

const requestOf = ({ headers, secret, url }: Target, body: Uint8Array, timestamp: string) =>
  HttpClientRequest.post(url, { headers }).pipe(
    HttpClientRequest.setBody(HttpBody.uint8Array(body, "application/json")),
    HttpClientRequest.setHeaders({
      "user-agent": "ModelRoute-Webhooks/1.0",
      "x-signature-timestamp": timestamp,
      "x-signature": hmacSha256Hex(secret, join([encoder.encode(`${timestamp}.`), body]))
    })
  )

const isSuccess = (outcome: DeliveryRecord["outcome"]): boolean =>
  typeof outcome === "number" && outcome >= 200 && outcome < 300

/** The answer has to be complete in time, and whatever else happens is no answer. */
const answerTo = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<DeliveryRecord["outcome"]> =>
  client.execute(request).pipe(
    Effect.flatMap((response) => Effect.as(Effect.ignore(Stream.runDrain(response.stream)), response.status)),
    Effect.timeout(deadline),
    Effect.catchAllCause(() => Effect.succeed("no answer" as const))
  )

/** One request, signed now; whether it has arrived, as far as the server can know. */
const send = (
  { client, log, skew }: Courier,
  attempt: DeliveryAttempt,
  target: Target,
  body: Uint8Array,
  answerIsLost: boolean
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const at = yield* monotonic.now
    const record: DeliveryRecord = { ...attempt, at, outcome: "pending" }
    const close = log.append(record)
    const timestamp = String(Math.floor((at + skew) / 1000))
    const answer = yield* answerTo(client(), requestOf(target, body, timestamp))
    const outcome = answerIsLost ? "no answer" : answer
    close({ ...record, outcome })
    return isSuccess(outcome)
  })

const drop = ({ log }: Courier, attempt: DeliveryAttempt): Effect.Effect<boolean> =>
  Effect.map(monotonic.now, (at) => {
    log.append({ ...attempt, at, outcome: "dropped" })
    return false
  })

/** @internal */
export const deliver = (courier: Courier, event: Event, recipient: Recipient): Effect.Effect<void> => {
  const attemptOf = (attempt: number, { url }: Target): DeliveryAttempt => ({
    eventId: event.id,
    type: event.type,
    ...(event.executionId === undefined ? {} : { executionId: event.executionId }),
    ...(recipient.endpointId === undefined ? {} : { endpointId: recipient.endpointId }),
    url,
    attempt
  })

  const tryOnce = (attempt: DeliveryAttempt, target: Target, disturbance: DeliveryFault): Effect.Effect<boolean> => {
    switch (disturbance) {
      case "dropBefore":
        return drop(courier, attempt)
      case "twice":
        return Effect.zipRight(
          send(courier, attempt, target, event.body, false),
          send(courier, attempt, target, event.body, false)
        )
      default:
        return send(courier, attempt, target, event.body, disturbance === "dropAfter")
    }
  }

  /** Whether it is still wanted then. */
  const waitUntil = (at: number): Effect.Effect<boolean> =>
    at < event.at + life ? until(at, recipient.stopped) : Effect.succeed(false)

  return Effect.gen(function* () {
    for (let n = 1; ; n++) {
      const target = recipient.target()
      const attempt = attemptOf(n, target)
      const disturbance = courier.disturb(attempt)
      if (typeof disturbance === "object") {
        const delayed = (yield* monotonic.now) + Duration.toMillis(disturbance.delay)
        if (!(yield* waitUntil(delayed))) return
      }
      const sentAt = yield* monotonic.now
      if (yield* tryOnce(attempt, target, disturbance)) {
        return recipient.succeeded(yield* monotonic.now)
      }
      recipient.failed()
      const pause = pauses[n - 1]
      if (pause === undefined || !(yield* waitUntil(sentAt + pause * minute))) return
    }
  })
}
