/**
 * Declares the settings of faults.
 */
import type * as Duration from "effect/Duration"
import type { Code, Detail } from "../../../ModelRouteError.js"
import type { Operation } from "../http/routes.js"

/**
 * Time at which a fault applies to a request: before or after the server processes the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "before" | "after"

/**
 * A request that a fault can apply to. A predicate of `Matcher` receives this request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target {
  /** Operation of the request. `unknown` if the API does not define the request. */
  readonly operation: Operation
  /** HTTP method, such as `POST`. */
  readonly method: string
  /** Path and query of the URL. */
  readonly path: string
  /** Headers with names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Body of the request. Empty if the request has no body. */
  readonly body: Uint8Array
  /** Value of the Idempotency-Key header. `undefined` if the request has no such header. */
  readonly idempotencyKey?: string | undefined
}

/**
 * Selects the requests that a fault applies to. An operation selects all requests of this operation. A predicate
 * selects the requests for which the predicate returns `true`.
 *
 * @since 0.1.0
 * @category models
 */
export type Matcher = Operation | ((target: Target) => boolean)

/**
 * A response that replaces the response of the API.
 *
 * @since 0.1.0
 * @category models
 */
export interface RawResponse {
  /** HTTP status, from 200 to 599. */
  readonly status: number
  /** Headers of the response. The server adds no `content-type`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Body of the response. A string is encoded as UTF-8. */
  readonly body: string | Uint8Array
  /** Time of the response. With `after`, the server processes the request before it responds. Default: `before`. */
  readonly phase?: Phase | undefined
}

/**
 * One of the twelve documented error codes, or any other text. See the API page "Error codes".
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorCode = Code | (string & {})

/**
 * Options of `apiError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiErrorOptions {
  /** HTTP status. Default: the documented status of the code, or 400 for an undocumented code. */
  readonly status?: number | undefined
  /** Error message. Default: a message that contains the code. */
  readonly message?: string | undefined
  /**
   * Value of `retryable`. `null` omits the field. Default: the documented value of the code, or `false` for an
   * undocumented code.
   */
  readonly retryable?: boolean | null | undefined
  /** Value of `request_id`. `null` omits the field. Default: a new id. */
  readonly requestId?: string | null | undefined
  /**
   * Value of `details`, which describes the rejected fields of an `INPUT_VALIDATION_ERROR`. Default: no field
   * `details`.
   */
  readonly details?: ReadonlyArray<Detail> | undefined
  /** Value of the Retry-After header, rounded up to whole seconds. Default: no header. */
  readonly retryAfter?: Duration.DurationInput | undefined
  /**
   * Time until the rate limit resets. Sets `X-RateLimit-Remaining` to 0, and `X-RateLimit-Reset` to the server's time
   * plus `resetIn`, rounded up to whole seconds. Default: both headers describe the actual rate limit of the
   * simulator.
   */
  readonly resetIn?: Duration.DurationInput | undefined
  /** Additional response headers. A header replaces the header of the API with the same name. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Time of the response. With `after`, the server processes the request before it responds. Default: `before`. */
  readonly phase?: Phase | undefined
}

/**
 * The outcome of an execution that completes and is charged.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompletedOutcome {
  /** Terminal status of the execution. */
  readonly status: "COMPLETED"
  /**
   * JSON value of `output` and of `result` in the responses. If this value is set, the execution creates no files.
   * Default: the output of the model.
   */
  readonly output?: unknown
}

/**
 * The outcome of an execution that fails and is not charged.
 *
 * @since 0.1.0
 * @category models
 */
export interface FailedOutcome {
  /** Terminal status of the execution. */
  readonly status: "FAILED"
  /** Error code of the execution. Default: `GENERATION_FAILED`. */
  readonly code?: ErrorCode | undefined
  /** Error message of the execution. Default: a message that contains the code. */
  readonly message?: string | undefined
  /**
   * Value of `retryable` in the execution's `error`. By default, the field is absent, as in the API's documentation.
   */
  readonly retryable?: boolean | undefined
}

/**
 * The outcome of an execution that ends without a result and is not charged.
 *
 * @since 0.1.0
 * @category models
 */
export interface EndedOutcome {
  /** Terminal status of the execution. `EXPIRED` ends the execution at its `expires_at`. */
  readonly status: "CANCELLED" | "EXPIRED"
}

/**
 * The terminal outcome of an execution.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = CompletedOutcome | FailedOutcome | EndedOutcome

/**
 * The kind of value that replaces the Unix seconds in `X-RateLimit-Reset`:
 *
 * - `millis`: Unix milliseconds.
 * - `delta`: seconds until the reset.
 * - `garbage`: text that is not a number.
 * - `past`: a time in 2024.
 * - `absurd`: a time in the year 9999.
 *
 * @since 0.1.0
 * @category models
 */
export type ResetUnit = "millis" | "delta" | "garbage" | "past" | "absurd"

/**
 * The requests that a fault affects. `Fault.on` and `Fault.times` set these fields.
 *
 * @since 0.1.0
 * @category models
 */
export interface Selection {
  /**
   * Requests that the fault applies to. Default: any request under `/v1`. Default of an `ExecutionOutcome`: any create
   * request.
   */
  readonly on?: Matcher | undefined
  /** Number of matching requests that the fault affects. Random faults ignore this number. Default: 1. */
  readonly times?: number | undefined
}
