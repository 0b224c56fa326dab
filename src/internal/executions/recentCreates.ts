/**
 * Remembers which executions this client has created lately: for a short while, a replica of the API may not know them yet.
 *
 * @internal
 */
import type { ExecutionId } from "../../Execution.js"

const capacity = 1000

/** @internal One per client. */
export class RecentCreates {
  private readonly createdAt = new Map<ExecutionId, number>()

  /** `now` is in monotonic milliseconds. */
  add(id: ExecutionId, now: number): void {
    this.createdAt.delete(id)
    this.createdAt.set(id, now)
    for (const oldest of this.createdAt.keys()) {
      if (this.createdAt.size <= capacity) return
      this.createdAt.delete(oldest)
    }
  }

  get(id: ExecutionId): number | undefined {
    return this.createdAt.get(id)
  }
}
