/**
 * The types of the simulator's faults.
 */
import * as Data from "effect/Data"
import type { Detail } from "../../../ModelRouteError.js"
import type { Operation } from "../http/routes.js"

/**
 * Phase of a fault, before or after the server processes the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "before" | "after"

/**
 * The request that the matcher of a fault receives.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target {
  readonly operation: Operation
  readonly method: string
  readonly path: string
  /** Header names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly idempotencyKey?: string | undefined
}

/**
 * Selects the requests of a fault, by operation or with a predicate.
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
  readonly body: string | Uint8Array
  /** Phase of the response. Default: `before` */
  readonly phase?: Phase | undefined
}

/**
 * The fields of an error envelope, except its code.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnvelopeOptions {
  /** HTTP status. Default: the documented status of the code, or 400 for an undocumented code */
  readonly status?: number | undefined
  readonly message?: string | undefined
  /**
   * Value of `retryable`. `null` omits the field. Default: the documented value of the code, or `false` for an
   * undocumented code
   */
  readonly retryable?: boolean | null | undefined
  /** Value of `request_id`. `null` omits the field. Default: a new id */
  readonly requestId?: string | null | undefined
  readonly details?: ReadonlyArray<Detail> | undefined
  /** Headers in addition to those of the API. A header replaces the API's header of the same name. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Phase of the response. Default: `before` */
  readonly phase?: Phase | undefined
}

/**
 * The outcome of an execution that does not complete.
 *
 * @since 0.1.0
 * @category models
 */
export interface TerminalOutcome {
  readonly status: "FAILED" | "CANCELLED" | "EXPIRED"
  /** Error code of a failed execution. Default: `GENERATION_FAILED` */
  readonly code?: string | undefined
  /** Error message of a failed execution. Default: a message that contains the code */
  readonly message?: string | undefined
  /**
   * Value of `retryable` in the execution's `error`. By default, the field is absent, as in the API's documentation.
   */
  readonly retryable?: boolean | undefined
}

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

interface MatchOptions {
  /** Requests that match the fault. Default: any request under `/v1`. The default for `Ends` is any create request. */
  readonly on?: Matcher | undefined
}

/**
 * A fault of one request, or of the execution that the request creates.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  DropBefore: MatchOptions
  DropAfter: MatchOptions
  CutBody: MatchOptions & { readonly keep: number }
  TruncateCleanly: MatchOptions & { readonly keep: number }
  Delay: MatchOptions & { readonly millis: number; readonly phase: Phase }
  Hang: MatchOptions & { readonly phase: Phase }
  Envelope: MatchOptions & EnvelopeOptions & { readonly code: string; readonly phase: Phase }
  Raw: MatchOptions & RawResponse & { readonly phase: Phase }
  RateLimited: MatchOptions & {
    readonly resetInMillis: number
    readonly retryAfter?: string | undefined
    readonly message?: string | undefined
    readonly phase: Phase
  }
  SkewDate: MatchOptions & { readonly millis: number }
  WithoutHeaders: MatchOptions & { readonly names: ReadonlyArray<string> }
  ResetUnit: MatchOptions & { readonly unit: ResetUnit }
  Ends: MatchOptions & TerminalOutcome
}>

/** @internal */
export const Fault = Data.taggedEnum<Fault>()

/** @internal A fault that sets the outcome of an execution. */
export type OutcomeFault = Extract<Fault, { readonly _tag: "Ends" }>

/** @internal A fault of one request. */
export type RequestFault = Exclude<Fault, OutcomeFault>

/** @internal */
export const isOutcomeFault = (fault: Fault): fault is OutcomeFault => fault._tag === "Ends"
