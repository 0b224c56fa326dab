/**
 * The record of what came in and how it was answered.
 */
import type { Answer } from "./response.js"
import * as Bounded from "../ringBuffer.js"
import type { Target } from "../faults/fault.js"

/**
 * One request. The value of Authorization is never kept, nor is the body of a `storage.put`: it is empty here.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestRecord extends Target {
  /** When it came in, in milliseconds on the Clock. */
  readonly at: number
  /** The status of the answer; `cut` when its body broke off, `dropped` when there was none, `pending` as long as there is none. */
  readonly outcome: number | "cut" | "dropped" | "pending"
  /** Of a `storage.put`: how many bytes of its body were read. What is refused by its length is not read at all. */
  readonly bodySize?: number | undefined
  /** The `_tag` of the fault that struck it; `Ends` only if no other did. */
  readonly fault?: string | undefined
  /** The execution that it created or asked about. */
  readonly executionId?: string | undefined
}

/** @internal */
export interface RequestLog {
  readonly open: (
    target: Target,
    at: number,
    fault: string | undefined
  ) => (answer: Answer, ending: string | undefined) => RequestRecord
  readonly all: () => ReadonlyArray<RequestRecord>
}

const outcome = ({ delivery, status }: Answer): RequestRecord["outcome"] => {
  switch (delivery._tag) {
    case "Dropped":
      return "dropped"
    case "Cut":
      return "cut"
    case "Chunked":
    case "Whole":
      return status
  }
}

const redacted = (headers: Target["headers"]): Target["headers"] =>
  headers["authorization"] === undefined ? { ...headers } : { ...headers, authorization: "Bearer <redacted>" }

const none = new Uint8Array(0)

const withoutUpload = (target: Target): Target & Pick<RequestRecord, "bodySize"> =>
  target.operation === "storage.put" ? { ...target, body: none, bodySize: target.body.length } : target

/** @internal Keeps the last `capacity` requests. */
export const make = (capacity: number): RequestLog => {
  const records = Bounded.make<RequestRecord>(capacity)
  return {
    open: (target, at, fault) => {
      const opened: RequestRecord = {
        ...withoutUpload(target),
        headers: redacted(target.headers),
        at,
        outcome: "pending",
        ...(fault === undefined ? {} : { fault })
      }
      const replace = records.append(opened)
      return (answer, ending) => {
        const closed: RequestRecord = {
          ...opened,
          outcome: outcome(answer),
          ...(ending === undefined || fault !== undefined ? {} : { fault: ending }),
          ...(answer.executionId === undefined ? {} : { executionId: answer.executionId })
        }
        replace(closed)
        return closed
      }
    },
    all: records.all
  }
}
