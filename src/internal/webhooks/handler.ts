/**
 * The way of a delivery through a server: read, verified, handled once, answered.
 *
 * @internal
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { InvalidRequest } from "../../ModelRouteError.js"
import type { Event, EventId } from "./event.js"
import type { Delivery, RejectionReason, WebhookRejected } from "./delivery.js"
import { safely, withSpan } from "../telemetry.js"
import { present } from "../data/lenient.js"
import * as Body from "./requestBody.js"
import { textOf } from "./failureText.js"
import type { Once } from "./dedup.js"

/** @internal */
export interface Steps<E, R, RD> {
  /** In bytes. */
  readonly maxBodySize: number
  readonly tooLarge: WebhookRejected
  readonly verify: (delivery: Delivery) => Effect.Effect<Event, WebhookRejected | InvalidRequest>
  readonly dedup: Effect.Effect<Once<EventId>, never, RD>
  readonly onEvent: (event: Event) => Effect.Effect<void, E, R>
  /** What no log line may show. */
  readonly secrets: ReadonlyArray<string>
}

const statuses: { readonly [R in RejectionReason]: number } = {
  "signature-missing": 401,
  "timestamp-missing": 401,
  stale: 401,
  "signature-mismatch": 401,
  malformed: 400,
  "too-large": 413
}

const answer = (status: number): HttpServerResponse.HttpServerResponse => HttpServerResponse.empty({ status })

const refuse = (rejected: WebhookRejected): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  safely(Effect.logWarning(`Webhook delivery refused (${rejected.reason}): ${rejected.message}`)).pipe(
    Effect.as(answer(statuses[rejected.reason]))
  )

/** `onEvent` has failed. The message is fit for logs and traces. */
class NotHandled extends Data.TaggedError("NotHandled")<{ readonly message: string; readonly expected: boolean }> {}

const outcomeOf = (exit: Exit.Exit<boolean, unknown>): string =>
  Exit.match(exit, { onFailure: () => "failed", onSuccess: (now) => (now ? "handled" : "duplicate") })

const attributesOf = (event: Event) => (exit: Exit.Exit<boolean, unknown>) => ({
  "modelroute.operation": "webhook.receive",
  "modelroute.event_id": event.id,
  "modelroute.event_type": event.type,
  "modelroute.execution_id": event.executionId,
  "modelroute.outcome": outcomeOf(exit)
})

const notHandled =
  (event: Event, secrets: ReadonlyArray<string>) =>
  <E>(cause: Cause.Cause<E>): Effect.Effect<never, NotHandled> =>
    Effect.suspend(
      () =>
        new NotHandled({
          message: `onEvent failed: ${textOf(cause, event, secrets)}`,
          expected: Option.isNone(Cause.dieOption(cause))
        })
    )

const logFailure = <E>(event: Event, cause: Cause.Cause<E | NotHandled>): Effect.Effect<void> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  const why =
    failure instanceof NotHandled ? failure.message : `the memory of handled events failed: ${Cause.pretty(cause)}`
  const text = `Webhook event ${event.id} was not dealt with, so ModelRoute will deliver it again: ${why}`
  const log = failure instanceof NotHandled && failure.expected ? Effect.logWarning(text) : Effect.logError(text)
  return safely(
    Effect.annotateLogs(log, present({ eventId: event.id, eventType: event.type, executionId: event.executionId }))
  )
}

/** In a fiber of its own: a sender that hangs up must not stop it. */
const handle = <E, R, RD>(
  event: Event,
  { dedup, onEvent, secrets }: Steps<E, R, RD>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Exclude<R, Scope.Scope> | RD> => {
  const handling = Effect.catchAllCause(Effect.scoped(Effect.suspend(() => onEvent(event))), notHandled(event, secrets))
  const handled = Effect.flatMap(dedup, ({ once }) => once(event.id, handling))
  return withSpan("modelroute.webhook.receive", "consumer", attributesOf(event), handled).pipe(
    Effect.matchCauseEffect({
      onFailure: (cause) => Effect.as(logFailure(event, cause), answer(500)),
      onSuccess: (now) =>
        Effect.as(
          now ? Effect.void : safely(Effect.logDebug(`Webhook event ${event.id} was handled before`)),
          answer(200)
        )
    }),
    Effect.interruptible,
    Effect.forkDaemon,
    Effect.flatMap(Fiber.join)
  )
}

/** @internal */
export const make = <E, R, RD>(steps: Steps<E, R, RD>): HttpApp.Default<never, Exclude<R, Scope.Scope> | RD> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.method !== "POST") return HttpServerResponse.empty({ status: 405, headers: { allow: "POST" } })
    const body = yield* Body.read(request, steps.maxBodySize)
    switch (body._tag) {
      case "Cut":
        return answer(400)
      case "Overlong":
        return yield* refuse(steps.tooLarge)
      case "Whole":
        return yield* Effect.flatMap(steps.verify({ body: body.bytes, headers: request.headers }), (event) =>
          handle(event, steps)
        )
    }
  }).pipe(
    Effect.catchTags({
      WebhookRejected: refuse,
      InvalidRequest: ({ message }) =>
        Effect.as(safely(Effect.logError(`No webhook delivery can be received: ${message}`)), answer(500))
    }),
    Effect.interruptible // the platform serves without, and a client that leaves would be waited for
  )
