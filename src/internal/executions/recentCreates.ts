/**
 * Records the executions that this client has created recently. A stale replica of the API may return a 404 for a new
 * execution.
 *
 * @internal
 */
import type { ExecutionId } from "../../Execution.js"

const maxEntries = 1000

/** @internal Stores the creation times of the last 1000 executions of a client. */
export class RecentCreates {
  private readonly createdAt = new Map<ExecutionId, number>()

  /** Adds an execution. `now` is in monotonic milliseconds. */
  add(id: ExecutionId, now: number): void {
    this.createdAt.delete(id)
    this.createdAt.set(id, now)
    for (const oldest of this.createdAt.keys()) {
      if (this.createdAt.size <= maxEntries) return
      this.createdAt.delete(oldest)
    }
  }

  /** Returns the creation time of an execution in monotonic milliseconds. */
  get(id: ExecutionId): number | undefined {
    return this.createdAt.get(id)
  }
}
