/**
 * The log of requests and their outcomes.
 */
import type { Target } from "../faults/types.js"
import * as RingBuffer from "../ringBuffer.js"
import type { ResponseData } from "./response.js"

/**
 * One request. The value of Authorization is redacted. The body of a `storage.put` is not kept, so `body` is empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestRecord extends Target {
  /** The arrival time, in milliseconds on the Clock. */
  readonly at: number
  /**
   * The status of the response. `cut` if its body was cut, `dropped` if no response was sent, `pending` until the
   * response is ready.
   */
  readonly outcome: number | "cut" | "dropped" | "pending"
  /** The number of body bytes that a `storage.put` read: 0 if its length was rejected before reading. */
  readonly bodySize?: number | undefined
  /** The `_tag` of the fault that was applied. `Ends` only if no other fault was applied. */
  readonly fault?: string | undefined
  /** The execution that the request created or named. */
  readonly executionId?: string | undefined
}

/** @internal */
export interface RequestLog {
  /** Logs a request as `pending` and returns the function that records its response. */
  readonly start: (
    target: Target,
    at: number,
    fault: string | undefined
  ) => (response: ResponseData, outcomeFault: string | undefined) => RequestRecord
  /** Returns the logged requests in the order of their arrival. */
  readonly all: () => ReadonlyArray<RequestRecord>
}

const toOutcome = ({ status, transmission }: ResponseData): RequestRecord["outcome"] => {
  switch (transmission._tag) {
    case "Dropped":
      return "dropped"
    case "Cut":
      return "cut"
    case "Chunked":
    case "Complete":
      return status
  }
}

const redactAuthorization = (headers: Target["headers"]): Target["headers"] =>
  headers["authorization"] === undefined ? { ...headers } : { ...headers, authorization: "Bearer <redacted>" }

const emptyBytes = new Uint8Array(0)

const omitUploadBody = (target: Target): Target & Pick<RequestRecord, "bodySize"> =>
  target.operation === "storage.put" ? { ...target, body: emptyBytes, bodySize: target.body.length } : target

/** @internal Returns a log of the last `capacity` requests. */
export const make = (capacity: number): RequestLog => {
  const records = RingBuffer.make<RequestRecord>(capacity)
  return {
    start: (target, at, fault) => {
      const pending: RequestRecord = {
        ...omitUploadBody(target),
        headers: redactAuthorization(target.headers),
        at,
        outcome: "pending",
        ...(fault === undefined ? {} : { fault })
      }
      const replace = records.append(pending)
      return (response, outcomeFault) => {
        const finished: RequestRecord = {
          ...pending,
          outcome: toOutcome(response),
          ...(outcomeFault === undefined || fault !== undefined ? {} : { fault: outcomeFault }),
          ...(response.executionId === undefined ? {} : { executionId: response.executionId })
        }
        replace(finished)
        return finished
      }
    },
    all: records.all
  }
}
