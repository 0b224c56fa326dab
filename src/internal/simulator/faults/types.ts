/**
 * The types of the simulator's faults.
 */
import * as Data from "effect/Data"
import type { Detail } from "../../../ModelRouteError.js"
import type { Operation } from "../http/routes.js"

/**
 * Applies a fault before or after the server has processed the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "before" | "after"

/**
 * The request that a matcher of a fault examines.
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
 * Selects the requests of a fault: those of one operation, or those for which a function returns true.
 *
 * @since 0.1.0
 * @category models
 */
export type Matcher = Operation | ((target: Target) => boolean)

/**
 * A response that replaces the API's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface RawResponse {
  /** The status, from 200 to 599. */
  readonly status: number
  /** Sent unchanged. Without a `content-type` here, the response has none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body: string | Uint8Array
  /** Default: `before` */
  readonly phase?: Phase | undefined
}

/**
 * The fields of an error envelope, apart from its code.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnvelopeOptions {
  /** Default: the documented status of the code, or 400 for an undocumented code. */
  readonly status?: number | undefined
  readonly message?: string | undefined
  /** Default: the documented value of the code, or `false` for an undocumented code. `null` omits the field. */
  readonly retryable?: boolean | null | undefined
  /** Default: a new id. `null` omits the field. */
  readonly requestId?: string | null | undefined
  readonly details?: ReadonlyArray<Detail> | undefined
  /** Added to the API's headers. Replaces headers of the same name. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default: `before` */
  readonly phase?: Phase | undefined
}

/**
 * The end of an execution that does not complete.
 *
 * @since 0.1.0
 * @category models
 */
export interface TerminalOutcome {
  readonly status: "FAILED" | "CANCELLED" | "EXPIRED"
  /** The code of a failed execution's `error`. Default: `GENERATION_FAILED` */
  readonly code?: string | undefined
  /** The message of a failed execution's `error`. Default: a text with the code. */
  readonly message?: string | undefined
  /** Default: omitted from the execution's `error`, as in the API's documentation. */
  readonly retryable?: boolean | undefined
}

/**
 * The value of `X-RateLimit-Reset` in place of Unix seconds: milliseconds, seconds from now, text, a time in 2024, or a
 * time in the year 9999.
 *
 * @since 0.1.0
 * @category models
 */
export type ResetUnit = "millis" | "delta" | "garbage" | "past" | "absurd"

interface MatchOptions {
  /** Default: any request under `/v1`, or a create for `Ends`. */
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

/** @internal A fault that decides how an execution ends. */
export type OutcomeFault = Extract<Fault, { readonly _tag: "Ends" }>

/** @internal A fault of one request. */
export type RequestFault = Exclude<Fault, OutcomeFault>

/** @internal */
export const isOutcomeFault = (fault: Fault): fault is OutcomeFault => fault._tag === "Ends"
