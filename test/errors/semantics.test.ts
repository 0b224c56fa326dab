/** Each row lists the predicates that hold for an error. All other predicates must be false. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime } from "effect"
import { Execution, ModelRouteError as E } from "effect-modelroute"
import * as classify from "../../src/internal/errors/classify.js"
import * as semantics from "../../src/internal/errors/semantics.js"

type Predicate = (error: E.ModelRouteError) => boolean

const predicates = {
  isExecutionEnded: E.isExecutionEnded,
  isNotFound: E.isNotFound,
  isRetryable: E.isRetryable,
  isRateLimit: semantics.isRateLimit,
  isHiddenRateLimit: semantics.isHiddenRateLimit,
  isTransientFault: semantics.isTransientFault,
  stopsAccount: semantics.stopsAccount,
  wasRejected: semantics.wasRejected,
  isPermanentRejection: semantics.isPermanentRejection,
  isDefiniteRejection: semantics.isDefiniteRejection,
  wasNotSent: semantics.wasNotSent,
  wasNotProcessed: semantics.wasNotProcessed,
  canRepeatRead: (error) => semantics.canRepeat(error, true),
  canRepeatWrite: (error) => semantics.canRepeat(error, false),
  isClientError: semantics.isClientError,
  isMissing: semantics.isMissing,
  isGone: semantics.isGone,
  isAbsent: semantics.isAbsent,
  isConflict: semantics.isConflict,
  isNotReady: semantics.isNotReady,
  hasNoEnvelope: semantics.hasNoEnvelope,
  isForeignResponse: semantics.isForeignResponse,
  isStorageRejection: semantics.isStorageRejection
} satisfies { readonly [name: string]: Predicate }

type Name = keyof typeof predicates

type Row = readonly [error: E.ModelRouteError, ...holding: ReadonlyArray<Name>]

const namesOf = (error: E.ModelRouteError): ReadonlyArray<string> =>
  Object.entries<Predicate>(predicates).flatMap(([name, holds]) => (holds(error) ? [name] : []))

const holds = (name: string, [error, ...holding]: Row) =>
  it(name, () => {
    assert.deepStrictEqual([...namesOf(error)].sort(), [...new Set(holding)].sort())
  })

const executionId = Execution.ExecutionId.make("exec_1")
const execution = new Execution.Execution({ id: executionId, status: "PROCESSING" })
const message = "failed"

// The same sets of predicates occur in many rows.
const serverFault = ["isRetryable", "isTransientFault", "canRepeatRead"] as const
const rejected = ["wasRejected", "isDefiniteRejection", "wasNotProcessed", "canRepeatRead", "canRepeatWrite"] as const
const permanentlyRejected = [
  "isPermanentRejection",
  "isDefiniteRejection",
  "wasNotProcessed",
  "canRepeatRead",
  "canRepeatWrite",
  "isClientError"
] as const

/** One row for each tag: a missing tag does not compile. */
const byTag: { readonly [Tag in E.ModelRouteError["_tag"]]: Row } = {
  InputValidationError: [new E.InputValidationError({}), ...permanentlyRejected],
  ContentModerationRejected: [new E.ContentModerationRejected({}), ...permanentlyRejected],
  FileNotFound: [new E.FileNotFound({}), ...permanentlyRejected],
  FileFormatUnsupported: [new E.FileFormatUnsupported({}), ...permanentlyRejected],
  InsufficientBalance: [new E.InsufficientBalance({}), ...rejected, "stopsAccount", "isClientError"],
  RateLimited: [new E.RateLimited({}), ...rejected, "isRetryable", "isRateLimit"],
  ModelOverloaded: [new E.ModelOverloaded({}), ...serverFault],
  ModelUnavailable: [new E.ModelUnavailable({}), ...serverFault],
  GenerationTimeout: [new E.GenerationTimeout({}), ...serverFault],
  GenerationFailed: [new E.GenerationFailed({}), ...serverFault],
  ServiceUnavailable: [new E.ServiceUnavailable({}), ...serverFault],
  InternalError: [new E.InternalError({}), "canRepeatRead"],
  Unauthorized: [new E.Unauthorized({}), ...rejected, "stopsAccount"],
  UnrecognizedError: [new E.UnrecognizedError({ code: "NEW", status: 400 }), "canRepeatRead", "isClientError"],
  UnexpectedResponse: [
    new E.UnexpectedResponse({ message, status: 502, retryable: true }),
    ...serverFault,
    "hasNoEnvelope",
    "isForeignResponse"
  ],
  TransportError: [new E.TransportError({ message, reason: "reset" }), ...serverFault],
  InvalidRequest: [
    new E.InvalidRequest({ message, field: "input" }),
    "isDefiniteRejection",
    "wasNotSent",
    "wasNotProcessed"
  ],
  ExecutionCancelled: [new E.ExecutionCancelled({ message, executionId }), "isExecutionEnded", "canRepeatRead"],
  ExecutionExpired: [new E.ExecutionExpired({ message, executionId }), "isExecutionEnded", "canRepeatRead"],
  AwaitTimeout: [new E.AwaitTimeout({ message, executionId }), "canRepeatRead"],
  ExecutionNotReady: [new E.ExecutionNotReady({ message, executionId, execution }), "canRepeatRead"],
  FileTooLarge: [new E.FileTooLarge({ message, size: 2, limit: 1 }), "canRepeatRead"],
  SubmissionOutcomeUnknown: [
    new E.SubmissionOutcomeUnknown({ message, submittedAt: DateTime.unsafeMake(0) }),
    "canRepeatRead"
  ],
  JournalError: [new E.JournalError({ message }), "canRepeatRead"]
}

describe("the predicates for each tag", () => {
  for (const [tag, row] of Object.entries(byTag)) {
    it(`has the tag of its row: ${tag}`, () => assert.strictEqual(row[0]._tag, tag))
    holds(tag, row)
  }
})

describe("the predicates for a transport failure", () => {
  holds("a failure to connect", [
    new E.TransportError({ message, reason: "connect" }),
    ...serverFault,
    "wasNotSent",
    "wasNotProcessed",
    "canRepeatWrite"
  ])
  for (const reason of ["timeout", "truncated", "unknown"] as const) {
    holds(`no complete response: ${reason}`, [new E.TransportError({ message, reason }), ...serverFault])
  }
  holds("a broken connection during a write without an idempotency key", [
    new E.TransportError({ message, reason: "reset", retryable: false }),
    "canRepeatRead"
  ])
})

/** The error of a response to a create. */
const created = (status: number, error?: Record<string, unknown>): E.ModelRouteError =>
  classify.fromResponse(
    {
      status,
      headers: {},
      body: new TextEncoder().encode(error === undefined ? "<html>" : JSON.stringify({ error })),
      receivedAt: 0
    },
    { operation: "executions.create", attempts: 1, isRepeatable: true, isKeyed: true, idempotencyKey: "key" }
  )

describe("the predicates for a response", () => {
  holds("429 with an unknown code", [created(429, { code: "NEW" }), ...rejected, "isRetryable", "isRateLimit"])
  holds("429 with an unknown code that is not retryable", [
    created(429, { code: "NEW", retryable: false }),
    ...rejected,
    "isRateLimit"
  ])
  holds("429 without an envelope", [created(429), ...rejected, "isRetryable", "isRateLimit"])
  holds("429 of an overloaded model", [created(429, { code: "MODEL_OVERLOADED" }), ...rejected, ...serverFault])
  holds("429 of storage", [
    new E.UnexpectedResponse({ message, status: 429, retryable: true }),
    ...rejected,
    ...serverFault,
    "hasNoEnvelope",
    "isStorageRejection"
  ])
  holds("RATE_LIMITED with status 503", [
    created(503, { code: "RATE_LIMITED" }),
    ...rejected,
    "isRetryable",
    "isRateLimit",
    "isHiddenRateLimit"
  ])
  holds("401 without an envelope", [created(401), ...rejected, "stopsAccount"])
  holds("401 with an unknown code", [created(401, { code: "NEW" }), "canRepeatRead"])
  holds("403 with an unknown code", [created(403, { code: "FORBIDDEN" }), "canRepeatRead", "isClientError"])
  holds("403 without an envelope", [
    created(403),
    "canRepeatRead",
    "isClientError",
    "hasNoEnvelope",
    "isForeignResponse",
    "isStorageRejection"
  ])
  holds("404 with an unknown code", [
    created(404, { code: "NOT_FOUND" }),
    "isNotFound",
    "canRepeatRead",
    "isClientError",
    "isMissing",
    "isAbsent",
    "isNotReady"
  ])
  holds("404 without an envelope", [
    created(404),
    "isNotFound",
    "canRepeatRead",
    "isClientError",
    "isMissing",
    "isAbsent",
    "isNotReady",
    "hasNoEnvelope",
    "isStorageRejection"
  ])
  holds("405 with an unknown code", [
    created(405, { code: "METHOD_NOT_ALLOWED" }),
    "canRepeatRead",
    "isClientError",
    "isAbsent"
  ])
  holds("409 of a create with its idempotency key", [
    created(409, { code: "IDEMPOTENCY_CONFLICT" }),
    ...serverFault,
    "isClientError",
    "isConflict",
    "isNotReady"
  ])
  holds("409 without an idempotency key", [
    new E.UnrecognizedError({ code: "CONFLICT", status: 409 }),
    "canRepeatRead",
    "isClientError",
    "isConflict",
    "isNotReady"
  ])
  holds("410 with an unknown code", [
    created(410, { code: "GONE" }),
    "canRepeatRead",
    "isClientError",
    "isMissing",
    "isGone"
  ])
  holds("425 with an unknown code", [
    created(425, { code: "TOO_EARLY" }),
    "canRepeatRead",
    "isClientError",
    "isNotReady"
  ])
  holds("a redirect", [created(302), "canRepeatRead", "hasNoEnvelope", "isForeignResponse"])
  holds("an undocumented 2xx response", [created(200), "canRepeatRead", "hasNoEnvelope", "isForeignResponse"])
  holds("a validation error with retryable", [
    created(400, { code: "INPUT_VALIDATION_ERROR", retryable: true }),
    ...serverFault,
    "isClientError"
  ])
})

/** The error of a FAILED execution. */
const failed = (code: string): E.ModelRouteError =>
  classify.fromExecution(
    new Execution.Execution({
      id: executionId,
      status: "FAILED",
      error: new Execution.Failure({ code, message })
    }),
    { operation: "executions.await", attempts: 1, isRepeatable: true }
  )

describe("the predicates for a FAILED execution", () => {
  for (const code of [
    "INPUT_VALIDATION_ERROR",
    "CONTENT_MODERATION_REJECTED",
    "FILE_NOT_FOUND",
    "INSUFFICIENT_BALANCE",
    "UNAUTHORIZED",
    "INTERNAL_ERROR",
    "NEW"
  ]) {
    holds(code, [failed(code), "isExecutionEnded", "canRepeatRead"])
  }
  for (const code of ["MODEL_OVERLOADED", "GENERATION_FAILED", "GENERATION_TIMEOUT", "SERVICE_UNAVAILABLE"]) {
    holds(code, [failed(code), "isExecutionEnded", ...serverFault])
  }
  holds("RATE_LIMITED", [failed("RATE_LIMITED"), "isExecutionEnded", "isRetryable", "isRateLimit", "canRepeatRead"])
})
