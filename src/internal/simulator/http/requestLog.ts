/**
 * Logs requests and their outcomes.
 */
import type { Target } from "../faults/settings.js"
import type { Fault } from "../faults/types.js"
import * as RingBuffer from "../ringBuffer.js"
import type { ResponseData } from "./response.js"

/**
 * One logged request. The value of the Authorization header is redacted. `body` is empty for `storage.put`, because the
 * log does not keep uploaded bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestRecord extends Target {
  /** Arrival time, in milliseconds on Effect's `Clock`. */
  readonly at: number
  /**
   * The status of the response, or one of these values:
   *
   * - `cut`: the connection was reset during the response body.
   * - `dropped`: the connection was reset without a response.
   * - `pending`: the response is not ready.
   */
  readonly outcome: number | "cut" | "dropped" | "pending"
  /**
   * Number of body bytes that the server read for `storage.put`. 0 if the server rejected the Content-Length.
   * `undefined` for other operations.
   */
  readonly bodySize?: number | undefined
  /** The `_tag` of the applied fault. `ExecutionOutcome` if only an outcome fault was applied. */
  readonly fault?: Fault["_tag"] | undefined
  /**
   * Id of the execution that the request created or addressed. For a request of an output file, this is the id of the
   * execution that created the file.
   */
  readonly executionId?: string | undefined
}

/** @internal */
export interface RequestLog {
  /** Logs a request as `pending`. Returns a function that records the response. */
  readonly start: (
    target: Target,
    at: number,
    fault: Fault["_tag"] | undefined
  ) => (response: ResponseData, outcomeFault: Fault["_tag"] | undefined) => RequestRecord
  /** Returns the logged requests in the order of arrival. */
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
