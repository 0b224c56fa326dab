/**
 * Converts the snapshot of a gate for the transfer to other processes.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import { omitUndefined } from "../../data/lenient.js"
import type { Gate } from "../../rateLimit/gate.js"
import { makeSnapshot, type Snapshot } from "../../rateLimit/snapshot.js"
import type { WireSnapshot } from "./protocol.js"

/**
 * Returns the snapshot of a gate. Converts its times to durations from now, because other processes have other clocks.
 *
 * @internal
 */
export const toWire = (gate: Gate, clock: Clock.Clock): WireSnapshot => {
  const wall = clock.unsafeCurrentTimeMillis()
  const { blockedUntil, resetAt, skew, ...rest } = makeSnapshot(gate, clock)
  const millisTo = (time: DateTime.Utc | undefined) => time && DateTime.toEpochMillis(time) - wall
  return {
    ...rest,
    ...omitUndefined({
      resetIn: millisTo(resetAt),
      blockedIn: millisTo(blockedUntil),
      serverNow: skew && { min: wall + skew.min, max: wall + skew.max }
    })
  }
}

/**
 * Converts a snapshot from the owner. `wall` is the local wall clock time when the snapshot arrives, in epoch
 * milliseconds.
 *
 * @internal
 */
export const fromWire = ({ blockedIn, resetIn, serverNow, ...rest }: WireSnapshot, wall: number): Snapshot => {
  const toDateTime = (millis: number | undefined) =>
    millis === undefined ? undefined : DateTime.unsafeMake(wall + millis)
  return {
    ...rest,
    ...omitUndefined({
      resetAt: toDateTime(resetIn),
      blockedUntil: toDateTime(blockedIn),
      skew: serverNow && { min: serverNow.min - wall, max: serverNow.max - wall }
    })
  }
}
