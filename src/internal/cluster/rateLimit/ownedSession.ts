/**
 * Keeps the requests and the events of one process in the owner of the gate.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { OwnedRequest } from "./ownedRequest.js"
import type { RequestEvent } from "./protocol.js"

/**
 * Maximum time that a poll waits for an event. The time is short, because a cluster runner shuts down only after its
 * calls have ended.
 */
const pollHoldMillis = 1000

/** @internal */
export class OwnedSession {
  readonly requests = new Map<number, OwnedRequest>()
  /**
   * Random id of this session. A new epoch in a reply means that the owner has lost the previous session of the
   * process.
   */
  readonly epoch = globalThis.crypto.randomUUID()
  /** Number of the latest event. Events are numbered from 1 in each session. */
  last = 0
  /**
   * Events that the process has not acknowledged, the oldest first. The newest of these events has the number `last`.
   */
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
   * Waits up to a second for an unacknowledged event. A process runs only one poll at a time, so a new poll ends the
   * wait of the previous poll.
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
