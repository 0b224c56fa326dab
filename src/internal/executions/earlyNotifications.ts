/**
 * Stores notifications for executions that no fiber waits for. For example, a notification can arrive before the
 * response to the create request. The next wait for the execution uses the stored notification.
 *
 * @internal
 */
import { Execution, type ExecutionId, isTerminal } from "../../Execution.js"
import { isLargerThan } from "../data/jsonText.js"
import type { Observation } from "./observation.js"

const maxNotifications = 1000
/**
 * Maximum size of `output`, `result`, `metadata` and `extra` together, in characters. If the fields are larger, none of
 * these fields is stored. The next wait fetches these fields from the API.
 */
const maxCharacters = 16 * 1024

const isLarge = ({ execution: { extra, metadata, output, result } }: Observation): boolean =>
  isLargerThan([output, result, metadata, extra], maxCharacters)

const withoutLargeFields = (notification: Observation): Observation => {
  if (!isLarge(notification)) return notification
  const { extra: _e, metadata: _m, output: _o, result: _r, ...rest } = notification.execution
  return { ...notification, execution: new Execution(rest, { disableValidation: true }) }
}

/** @internal Stores the latest notification for each of the 1000 most recently notified executions. */
export class EarlyNotifications {
  private readonly notifications = new Map<ExecutionId, Observation>()

  /** Stores a notification, unless a terminal notification of the same execution is already stored. */
  add(notification: Observation): void {
    const { id } = notification.execution
    const known = this.notifications.get(id)
    if (known !== undefined && isTerminal(known.execution)) return
    this.notifications.delete(id)
    this.notifications.set(id, withoutLargeFields(notification))
    if (this.notifications.size <= maxNotifications) return
    for (const oldest of this.notifications.keys()) {
      this.notifications.delete(oldest)
      return
    }
  }

  /** Removes and returns the notification of an execution. */
  take(id: ExecutionId): Observation | undefined {
    const notification = this.notifications.get(id)
    this.notifications.delete(id)
    return notification
  }
}
