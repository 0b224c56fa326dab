/**
 * Implements a request of this process that waits for its permit from the cluster gate.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { RequestEvent } from "./protocol.js"

/**
 * Event for the caller of a waiting request.
 *
 * - `Queued`: the owner has queued the request without a permit.
 * - `Moved`: the owner has changed or is unreachable, so the request must be queued again.
 *
 * @internal
 */
export type WaitingEvent = RequestEvent["event"] | { readonly _tag: "Queued" } | { readonly _tag: "Moved" }

/** @internal */
export class WaitingRequest {
  /** Epoch in the reply of the owner. `undefined` before the reply. */
  epoch: string | undefined
  /** Indicates whether the caller no longer waits and no longer needs a permit. */
  isEnded = false
  private nextIndex = 0
  private readonly events: Array<WaitingEvent> = []
  private wake: (() => void) | undefined

  constructor(
    readonly id: number,
    /** Id of this process at the owner. */
    readonly client: string
  ) {}

  push(event: WaitingEvent): void {
    this.events.push(event)
    this.wake?.()
  }

  /** Adds an event of the owner. Ignores an event that was received before. */
  receive({ event, index }: RequestEvent): void {
    if (index < this.nextIndex) return
    this.nextIndex = index + 1
    this.push(event)
  }

  /** Returns the next event. Waits until an event arrives. Only one caller may wait. */
  readonly take: Effect.Effect<WaitingEvent> = Effect.async((resume) => {
    const resumeIfReady = () => {
      const event = this.events.shift()
      if (event === undefined) return
      this.wake = undefined
      resume(Effect.succeed(event))
    }
    this.wake = resumeIfReady
    resumeIfReady()
  })
}
