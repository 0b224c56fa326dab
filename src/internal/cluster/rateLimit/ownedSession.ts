/**
 * Keeps the requests and the events of one process at the owner.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { OwnedRequest } from "./ownedRequest.js"
import type { RequestEvent } from "./protocol.js"

/**
 * Maximum time that a poll waits for an event. The time is short, because a runner waits for its calls before the
 * runner shuts down.
 */
const pollHoldMillis = 1000

/** @internal */
export class OwnedSession {
  readonly requests = new Map<number, OwnedRequest>()
  /** Identifies this session. A process compares the epoch to detect that the owner has lost the previous session. */
  readonly epoch = globalThis.crypto.randomUUID()
  /** Number of the last event. */
  last = 0
  /** Events that the process has not acknowledged. The last of these events has the number `last`. */
  private pending: Array<RequestEvent> = []
  private wake: (() => void) | undefined

  /** `seenAt` is the time of the last message of the process, in monotonic milliseconds. */
  constructor(public seenAt: number) {}

  get events(): ReadonlyArray<RequestEvent> {
    return this.pending
  }

  push(event: RequestEvent): void {
    this.last += 1
    this.pending.push(event)
    this.wake?.()
  }

  /** Deletes the events up to the event with the number `last`. */
  acknowledge(last: number): void {
    const pendingCount = this.last - last
    this.pending = pendingCount <= 0 ? [] : this.pending.slice(-pendingCount)
  }

  /**
   * Waits up to a second for an event. A process has only one poll, so a new poll ends the wait of the previous poll.
   */
  get awaitEvent(): Effect.Effect<void> {
    return Effect.raceFirst(
      Effect.async<void>((resume) => {
        this.wake?.()
        const wake = () => {
          if (this.wake === wake) this.wake = undefined
          resume(Effect.void)
        }
        this.wake = wake
        if (this.pending.length > 0) wake()
      }),
      Effect.sleep(pollHoldMillis)
    )
  }
}
