/**
 * Represents a request of another process in the queue of the gate that this process owns.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { omitUndefined } from "../../data/lenient.js"
import type { Gate } from "../../rateLimit/gate.js"
import type { Permit, PermitRequest } from "../../rateLimit/permit.js"
import type { AcquirePayload, Outcome, RequestEvent } from "./protocol.js"

/** @internal Outcome that ends a request, so a request has only one final outcome. */
export type FinalOutcome = Exclude<Outcome, { readonly _tag: "RateLimited" }>

interface Admitted {
  readonly permit: Permit
  /** Ends the attempt for which the gate has granted the permit. */
  readonly end: () => void
}

/** @internal */
export class OwnedRequest {
  /** All events of the request, the oldest first. */
  readonly events: Array<RequestEvent> = []
  private admitted: Admitted | undefined
  private fiber: Fiber.RuntimeFiber<void> | undefined

  constructor(
    private readonly payload: AcquirePayload,
    /** Sends an event to the process that queued the request. */
    private readonly onEvent: (event: RequestEvent) => void
  ) {}

  /** Queues the request at the gate. Runs `onEnd` after the final outcome or an interruption. */
  start(gate: Gate, scope: Scope.Scope, onEnd: () => void): Effect.Effect<void> {
    const run = gate.withPermit(this.permitRequest, (permit) =>
      Effect.async<void>((resume) => {
        this.admitted = { permit, end: () => resume(Effect.void) }
        this.emit({ _tag: "Granted" })
      })
    )
    const fiber = Effect.forkIn(Effect.interruptible(Effect.ensuring(run, Effect.sync(onEnd))), scope)
    return Effect.map(fiber, (started) => {
      this.fiber = started
    })
  }

  /**
   * Accepts every delay, because only the other process has the retry policy. If that policy rejects the wait, the
   * other process withdraws the request.
   */
  private get permitRequest(): PermitRequest<never> {
    const { isRetry, requestClass } = this.payload
    return {
      operation: "acquire",
      requestClass,
      isRetry,
      confirmWait: ({ limit, opensIn, remaining, wait }) =>
        Effect.sync(() => {
          this.emit({ _tag: "Delayed", opensIn, wait, ...omitUndefined({ limit, remaining }) })
          return Option.none()
        })
    }
  }

  /**
   * Reports the final outcome to the gate and ends the request. Returns the milliseconds until the gate opens if the
   * outcome is a 429 with a reset.
   */
  finish(outcome: FinalOutcome): Effect.Effect<number | undefined> {
    const { admitted } = this
    if (admitted === undefined || outcome._tag === "Interrupted") return Effect.as(this.interrupt, undefined)
    const { end, permit } = admitted
    const report = (): Effect.Effect<number | undefined> => {
      switch (outcome._tag) {
        case "Response":
          return permit.reportResponse(outcome.status, outcome.headers)
        case "Unsent":
        case "Withdrawn":
          return Effect.as(permit.reportUnsent, undefined)
        case "Lost":
          return Effect.succeed(undefined)
      }
    }
    return Effect.ensuring(report(), Effect.sync(end))
  }

  /**
   * Interrupts the request. A queued request leaves the queue. If the request has already been admitted, the gate still
   * counts the request, because the request may have been sent.
   */
  get interrupt(): Effect.Effect<void> {
    return Effect.fiberIdWith((id) => Effect.sync(() => this.fiber?.unsafeInterruptAsFork(id)))
  }

  private emit(event: RequestEvent["event"]): void {
    const numbered = { request: this.payload.request, index: this.events.length, event }
    this.events.push(numbered)
    this.onEvent(numbered)
  }
}
