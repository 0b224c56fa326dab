/**
 * Represents a request of this process that waits for a permit from the owner of the shared gate.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { RequestEvent } from "./protocol.js"

/**
 * Event for the caller of a waiting request.
 *
 * - `Queued`: the owner has queued the request, and no permit is available yet.
 * - `Moved`: the owner has changed or is unreachable, so the request must be queued again.
 *
 * @internal
 */
export type WaitingEvent = RequestEvent["event"] | { readonly _tag: "Queued" } | { readonly _tag: "Moved" }

/** @internal */
export class WaitingRequest {
  /** Epoch of the session in which the owner queued the request. `undefined` until the owner has replied. */
  epoch: string | undefined
  /** Indicates whether the request was withdrawn or has a final outcome. */
  isEnded = false
  private nextIndex = 0
  private readonly events: Array<WaitingEvent> = []
  private wake: (() => void) | undefined

  constructor(
    readonly id: number,
    /** Id under which the owner keeps the requests of this process. */
    readonly client: string
  ) {}

  push(event: WaitingEvent): void {
    this.events.push(event)
    this.wake?.()
  }

  /** Adds an event from the owner. Ignores an event that a repeated call returns again. */
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
