/**
 * Handles a delivery as an HTTP request. Verifies the delivery, handles its event once, and responds.
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
import { omitUndefined } from "../data/lenient.js"
import { runCallback } from "../errors/callback.js"
import { runSafely, withSpan } from "../telemetry.js"
import type { DedupService } from "./dedupService.js"
import type { Delivery, RejectionReason, WebhookRejected } from "./delivery.js"
import type { Event } from "./event.js"
import { failureText } from "./failureText.js"
import * as requestBody from "./requestBody.js"

/** @internal */
export interface HandlerContext<E, R, RD> {
  readonly maxBodyBytes: number
  /** Error for a delivery whose body is larger than `maxBodyBytes`. */
  readonly tooLarge: WebhookRejected
  readonly verify: (delivery: Delivery) => Effect.Effect<Event, WebhookRejected | InvalidRequest>
  readonly dedup: Effect.Effect<DedupService, never, RD>
  readonly onEvent: (event: Event) => Effect.Effect<void, E, R>
  /** Secrets to redact in log lines. */
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

const emptyResponse = (status: number): HttpServerResponse.HttpServerResponse => HttpServerResponse.empty({ status })

const reject = (rejected: WebhookRejected): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  runSafely(Effect.logWarning(`Webhook delivery rejected (${rejected.reason}): ${rejected.message}`)).pipe(
    Effect.as(emptyResponse(statuses[rejected.reason]))
  )

/** Failure of the caller's `onEvent`. The message is redacted, because logs and traces contain the message. */
class HandlerFailed extends Data.TaggedError("HandlerFailed")<{
  readonly message: string
  readonly isDefect: boolean
}> {}

const toHandlerFailed =
  (event: Event, secrets: ReadonlyArray<string>) =>
  <E>(cause: Cause.Cause<E>): Effect.Effect<never, HandlerFailed> =>
    Effect.suspend(
      () =>
        new HandlerFailed({
          message: `onEvent failed: ${failureText(cause, event, secrets)}`,
          isDefect: Option.isSome(Cause.dieOption(cause))
        })
    )

const outcomeOf = (exit: Exit.Exit<boolean, unknown>): string =>
  Exit.match(exit, { onFailure: () => "failed", onSuccess: (isFirst) => (isFirst ? "handled" : "duplicate") })

const attributesOf = (event: Event) => (exit: Exit.Exit<boolean, unknown>) => ({
  "modelroute.operation": "webhook.receive",
  "modelroute.event_id": event.id,
  "modelroute.event_type": event.type,
  "modelroute.execution_id": event.executionId,
  "modelroute.outcome": outcomeOf(exit)
})

const logFailure = <E>(event: Event, cause: Cause.Cause<E | HandlerFailed>): Effect.Effect<void> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  const isHandlerFailure = failure instanceof HandlerFailed
  const reason = isHandlerFailure
    ? failure.message
    : `The record of handled events could not be read or written: ${Cause.pretty(cause)}`
  const text = `Webhook event ${event.id} was not handled, so ModelRoute will deliver the event again. Cause: ${reason}`
  const log = isHandlerFailure && !failure.isDefect ? Effect.logWarning(text) : Effect.logError(text)
  return runSafely(
    Effect.annotateLogs(
      log,
      omitUndefined({ eventId: event.id, eventType: event.type, executionId: event.executionId })
    )
  )
}

const handleEvent = <E, R, RD>(
  event: Event,
  { dedup, onEvent, secrets }: HandlerContext<E, R, RD>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Exclude<R, Scope.Scope> | RD> => {
  const runHandler = Effect.catchAllCause(
    Effect.scoped(runCallback("Webhook.handler", "onEvent", () => onEvent(event))),
    toHandlerFailed(event, secrets)
  )
  const runOnce = Effect.flatMap(dedup, ({ handleOnce }) => handleOnce(event.id, runHandler))
  return withSpan("modelroute.webhook.receive", "consumer", attributesOf(event), runOnce).pipe(
    Effect.matchCauseEffect({
      onFailure: (cause) => Effect.as(logFailure(event, cause), emptyResponse(500)),
      onSuccess: (isFirst) =>
        Effect.as(
          isFirst ? Effect.void : runSafely(Effect.logDebug(`Webhook event ${event.id} was already handled`)),
          emptyResponse(200)
        )
    }),
    Effect.interruptible,
    // The handler runs in a daemon fiber, so that a disconnected sender does not interrupt the handler.
    Effect.forkDaemon,
    Effect.flatMap(Fiber.join)
  )
}

/** @internal */
export const make = <E, R, RD>(
  context: HandlerContext<E, R, RD>
): HttpApp.Default<never, Exclude<R, Scope.Scope> | RD> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.method !== "POST") return HttpServerResponse.empty({ status: 405, headers: { allow: "POST" } })
    const body = yield* requestBody.read(request, context.maxBodyBytes)
    switch (body._tag) {
      case "Truncated":
        return emptyResponse(400)
      case "TooLarge":
        return yield* reject(context.tooLarge)
      case "Complete":
        return yield* Effect.flatMap(context.verify({ body: body.bytes, headers: request.headers }), (event) =>
          handleEvent(event, context)
        )
    }
  }).pipe(
    Effect.catchTags({
      WebhookRejected: reject,
      InvalidRequest: ({ message }) =>
        Effect.as(runSafely(Effect.logError(`No webhook delivery can be verified: ${message}`)), emptyResponse(500))
    }),
    // The platform runs an HTTP app uninterruptibly. Without `Effect.interruptible`, the app would wait for the body of
    // a disconnected client.
    Effect.interruptible
  )
