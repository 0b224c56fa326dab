/**
 * Remembers which executions this client has created recently. For a short time, a replica of the API may not know them.
 *
 * @internal
 */
import type { ExecutionId } from "../../Execution.js"

const maxEntries = 1000

/** @internal The last 1000 creates of a client. */
export class RecentCreates {
  private readonly createdAt = new Map<ExecutionId, number>()

  /** `now` is in monotonic milliseconds. */
  add(id: ExecutionId, now: number): void {
    this.createdAt.delete(id)
    this.createdAt.set(id, now)
    for (const oldest of this.createdAt.keys()) {
      if (this.createdAt.size <= maxEntries) return
      this.createdAt.delete(oldest)
    }
  }

  /** Returns when the execution was created, in monotonic milliseconds. */
  get(id: ExecutionId): number | undefined {
    return this.createdAt.get(id)
  }
}
