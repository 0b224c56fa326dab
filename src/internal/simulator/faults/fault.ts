/**
 * What can go wrong with one request, as values: put them in the simulator's `faults`, or inject them while it runs.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type { Detail } from "../../../ModelRouteError.js"
import type { Operation } from "../http/routes.js"
import { signedMillis } from "../time.js"

/**
 * Whether the server has done what was asked when the fault strikes.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "before" | "after"

/**
 * The request that a fault may strike.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target {
  readonly operation: Operation
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly idempotencyKey?: string | undefined
}

/**
 * Which requests a fault is for: one operation, or any test.
 *
 * @since 0.1.0
 * @category models
 */
export type Matcher = Operation | ((target: Target) => boolean)

/**
 * Something other than the API's own answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface RawAnswer {
  /** 200 to 599. */
  readonly status: number
  /** Sent as they are; without a `content-type` the answer has none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body: string | Uint8Array
  /** Default `before`. */
  readonly phase?: Phase | undefined
}

/**
 * What an error envelope says beyond its code.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnvelopeOptions {
  /** Default: the code's own, 400 for a code outside the documented twelve. */
  readonly status?: number | undefined
  readonly message?: string | undefined
  /** Default: the code's own, `false` for other codes. `null` leaves the field out. */
  readonly retryable?: boolean | null | undefined
  /** Default: a new one. `null` leaves the field out. */
  readonly requestId?: string | null | undefined
  readonly details?: ReadonlyArray<Detail> | undefined
  /** Added to the headers of the API, or in their place. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default `before`. */
  readonly phase?: Phase | undefined
}

/**
 * How an execution ends instead of `COMPLETED`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TerminalOutcome {
  readonly status: "FAILED" | "CANCELLED" | "EXPIRED"
  /** Of a failed execution. Default `GENERATION_FAILED`. */
  readonly code?: string | undefined
  readonly message?: string | undefined
  /** Default: left out of the execution's `error`, as in the documentation. */
  readonly retryable?: boolean | undefined
}

/**
 * What `X-RateLimit-Reset` holds instead of Unix seconds.
 *
 * @since 0.1.0
 * @category models
 */
export type ResetUnit = "millis" | "delta" | "garbage" | "past" | "absurd"

interface Aimed {
  /** Default: any request under `/v1`; for `Ends` a create. */
  readonly on?: Matcher | undefined
}

/**
 * One thing that goes wrong with one request.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  DropBefore: Aimed
  DropAfter: Aimed
  CutBody: Aimed & { readonly keep: number }
  TruncateCleanly: Aimed & { readonly keep: number }
  Delay: Aimed & { readonly millis: number; readonly phase: Phase }
  Hang: Aimed & { readonly phase: Phase }
  Envelope: Aimed & EnvelopeOptions & { readonly code: string; readonly phase: Phase }
  Raw: Aimed & RawAnswer & { readonly phase: Phase }
  RateLimited: Aimed & {
    readonly resetInMillis: number
    readonly retryAfter?: string | undefined
    readonly message?: string | undefined
    readonly phase: Phase
  }
  SkewDate: Aimed & { readonly millis: number }
  WithoutHeaders: Aimed & { readonly names: ReadonlyArray<string> }
  ResetUnit: Aimed & { readonly unit: ResetUnit }
  Ends: Aimed & TerminalOutcome
}>

const Fault = Data.taggedEnum<Fault>()

/** @internal How an execution ends. */
export type Ends = Extract<Fault, { readonly _tag: "Ends" }>

/** @internal What strikes one request. */
export type Strike = Exclude<Fault, Ends>

/** @internal */
export const isEnds = (fault: Fault): fault is Ends => fault._tag === "Ends"

/**
 * The connection is reset and the server has not seen the request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const dropBefore: Fault = Fault.DropBefore({})

/**
 * The server does what was asked, then the connection is reset without an answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const dropAfter: Fault = Fault.DropAfter({})

/**
 * The answer's body breaks off, short of its announced length. `keep` is how much arrives: below 1 a share of the body,
 * otherwise bytes. Default: half.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cutBody = (options?: { readonly keep?: number | undefined }): Fault =>
  Fault.CutBody({ keep: options?.keep ?? 0.5 })

/**
 * As `cutBody`, but the answer announces no length and ends as if that were all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const truncateCleanly = (options?: { readonly keep?: number | undefined }): Fault =>
  Fault.TruncateCleanly({ keep: options?.keep ?? 0.5 })

/**
 * The exchange takes this much longer. `after` (default): the answer, with its Date, is under way that long; `before`: the
 * request is, and one that was given up meanwhile is never executed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.DurationInput, phase: Phase = "after"): Fault =>
  Fault.Delay({ millis: Duration.toMillis(duration), phase })

/**
 * No answer ever comes. Default: `after` the server has done what was asked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang = (phase: Phase = "after"): Fault => Fault.Hang({ phase })

/**
 * The API answers with this error. With the phase `after` it has done what was asked nevertheless.
 *
 * @since 0.1.0
 * @category constructors
 */
export const envelope = (code: string, options?: EnvelopeOptions): Fault =>
  Fault.Envelope({ ...options, code, phase: options?.phase ?? "before" })

/**
 * Something that is not the API answers: a proxy, a gateway, a broken server.
 *
 * @since 0.1.0
 * @category constructors
 */
export const raw = (answer: RawAnswer): Fault => Fault.Raw({ ...answer, phase: answer.phase ?? "before" })

/**
 * A gateway's HTML page with the status 502; the server has not seen the request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const badGateway: Fault = raw({
  status: 502,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
})

/**
 * The server does what was asked and answers 200 with nothing in it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const emptyOk: Fault = raw({ status: 200, body: "", phase: "after" })

/**
 * A 429 with the headers that belong to it. `X-RateLimit-Reset` is `resetIn` from now on the server's clock, in whole
 * seconds, rounded up. `retryAfter` is that header's text; without it the header is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rateLimited = (options: {
  readonly resetIn: Duration.DurationInput
  readonly retryAfter?: string | undefined
  readonly message?: string | undefined
  /** Default `before`. */
  readonly phase?: Phase | undefined
}): Fault => {
  const { resetIn, phase = "before", ...rest } = options
  return Fault.RateLimited({ ...rest, phase, resetInMillis: Duration.toMillis(resetIn) })
}

/**
 * A normal answer whose Date header is off by this much; a negative number of milliseconds puts it into the past.
 *
 * @since 0.1.0
 * @category constructors
 */
export const skewDate = (by: Duration.DurationInput): Fault => Fault.SkewDate({ millis: signedMillis(by) })

/**
 * A normal answer without these headers; without names, without Date and the three of the rate limit.
 *
 * @since 0.1.0
 * @category constructors
 */
export const withoutHeaders = (...names: ReadonlyArray<string>): Fault =>
  Fault.WithoutHeaders({
    names:
      names.length > 0
        ? names.map((name) => name.toLowerCase())
        : ["date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
  })

/**
 * A normal answer with another reset: in milliseconds, as seconds from now, as text, in 2024, or in the year 9999.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resetUnit = (unit: ResetUnit): Fault => Fault.ResetUnit({ unit })

/**
 * The next execution that is really created ends so; `EXPIRED` at its `expires_at`, the others after the model's
 * duration. Another fault may strike the same request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ends = (ending: TerminalOutcome): Fault => Fault.Ends({ on: "executions.create", ...ending })

/**
 * The same fault for other requests: those of one operation, or those that pass the test. The only way to strike a
 * request to the storage.
 *
 * @since 0.1.0
 * @category combinators
 */
export const on = (matcher: Matcher, fault: Fault): Fault => ({ ...fault, on: matcher })

/**
 * The same fault `n` times.
 *
 * @since 0.1.0
 * @category combinators
 */
export const times = (n: number, fault: Fault): ReadonlyArray<Fault> => Array.from({ length: n }, () => fault)

/**
 * Every kind of fault from which a client recovers by asking again, or which it does not have to notice at all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const transient: ReadonlyArray<Fault> = [
  dropBefore,
  dropAfter,
  cutBody(),
  delay("2 seconds", "before"),
  delay("2 seconds", "after"),
  hang("before"),
  hang("after"),
  envelope("MODEL_OVERLOADED"),
  envelope("MODEL_UNAVAILABLE"),
  envelope("SERVICE_UNAVAILABLE"),
  envelope("SERVICE_UNAVAILABLE", { phase: "after" }),
  envelope("GENERATION_TIMEOUT"),
  envelope("GENERATION_FAILED"),
  badGateway,
  raw({ status: 503, body: "" }),
  raw({ status: 504, headers: { "content-type": "text/plain" }, body: "upstream request timeout", phase: "after" }),
  rateLimited({ resetIn: "2 seconds" }),
  rateLimited({ resetIn: "2 seconds", retryAfter: "2" }),
  skewDate("5 minutes"),
  skewDate(-300_000),
  withoutHeaders(),
  resetUnit("millis"),
  resetUnit("delta"),
  resetUnit("garbage"),
  resetUnit("past"),
  resetUnit("absurd")
]
