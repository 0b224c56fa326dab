/**
 * Declares the types of faults.
 */
import * as Data from "effect/Data"
import type { ApiErrorOptions, ErrorCode, Outcome, Phase, RawResponse, ResetUnit, Selection } from "./settings.js"

/**
 * Resets the connection before the server processes the request.
 *
 * @since 0.1.0
 * @category models
 */
export interface DropBefore extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "DropBefore"
}

/**
 * Processes the request and resets the connection without a response.
 *
 * @since 0.1.0
 * @category models
 */
export interface DropAfter extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "DropAfter"
}

/**
 * Processes the request and resets the connection during the response body.
 *
 * @since 0.1.0
 * @category models
 */
export interface CutBody extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "CutBody"
  /** Part of the body that is sent. A number below 1 is a fraction of the body. A number from 1 is a number of bytes. */
  readonly keep: number
}

/**
 * Processes the request and ends the response normally after a part of the body.
 *
 * @since 0.1.0
 * @category models
 */
export interface TruncateCleanly extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "TruncateCleanly"
  /** Part of the body that is sent. A number below 1 is a fraction of the body. A number from 1 is a number of bytes. */
  readonly keep: number
}

/**
 * Delays a request or its response.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delay extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "Delay"
  /** Duration of the delay in milliseconds. */
  readonly millis: number
  /** Time of the delay. `before` delays the request, and `after` delays the response. */
  readonly phase: Phase
}

/**
 * Never responds to a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Hang extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "Hang"
  /**
   * Time of the fault. With `before`, the server does not process the request. With `after`, the server processes the
   * request first.
   */
  readonly phase: Phase
}

/**
 * Responds with an error of the API.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiError extends Selection, ApiErrorOptions {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "ApiError"
  /** Error code of the response. */
  readonly code: ErrorCode
  /**
   * Time of the fault. With `before`, the server does not process the request. With `after`, the server processes the
   * request first.
   */
  readonly phase: Phase
}

/**
 * Responds with any status, headers and body.
 *
 * @since 0.1.0
 * @category models
 */
export interface Raw extends Selection, RawResponse {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "Raw"
  /**
   * Time of the fault. With `before`, the server does not process the request. With `after`, the server processes the
   * request first.
   */
  readonly phase: Phase
}

/**
 * Processes the request and shifts the Date header of the response.
 *
 * @since 0.1.0
 * @category models
 */
export interface SkewDate extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "SkewDate"
  /** Offset of the header in milliseconds. A negative number shifts the date into the past. */
  readonly millis: number
}

/**
 * Processes the request and omits headers from the response.
 *
 * @since 0.1.0
 * @category models
 */
export interface WithoutHeaders extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "WithoutHeaders"
  /** Header names in lower case. */
  readonly names: ReadonlyArray<string>
}

/**
 * Processes the request and changes the unit of `X-RateLimit-Reset` in the response.
 *
 * @since 0.1.0
 * @category models
 */
export interface WrongResetUnit extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "ResetUnit"
  /** Kind of value that replaces the Unix seconds in the header. */
  readonly unit: ResetUnit
}

/**
 * Sets the terminal outcome of the execution that the request creates.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExecutionOutcome extends Selection {
  /** Tag of the fault, as in `RequestRecord.fault`. */
  readonly _tag: "ExecutionOutcome"
  /** Terminal outcome of the execution. */
  readonly outcome: Outcome
}

/**
 * A fault of one request, or of the execution that the request creates. The functions of `Fault` create faults.
 * `RequestRecord.fault` contains the `_tag` of a fault.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | DropBefore
  | DropAfter
  | CutBody
  | TruncateCleanly
  | Delay
  | Hang
  | ApiError
  | Raw
  | SkewDate
  | WithoutHeaders
  | WrongResetUnit
  | ExecutionOutcome

/** @internal */
export const Fault = Data.taggedEnum<Fault>()

/** @internal A fault that sets the outcome of an execution. */
export type OutcomeFault = Extract<Fault, { readonly _tag: "ExecutionOutcome" }>

/** @internal A fault of one request. */
export type RequestFault = Exclude<Fault, OutcomeFault>

/** @internal */
export const isOutcomeFault = (fault: Fault): fault is OutcomeFault => fault._tag === "ExecutionOutcome"
