/** Tests the error predicates. Each row lists all predicates that return `true` for an error. */
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
  isTransportFailure: semantics.isTransportFailure,
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
  Object.entries<Predicate>(predicates).flatMap(([name, holds]) => {
    const result = holds(error)
    assert.isBoolean(result)
    return result ? [name] : []
  })

const testPredicates = (name: string, [error, ...holding]: Row) => {
  const expected = [...new Set(holding)].sort()
  it(`only these error predicates return true for ${name}: ${expected.join(", ")}`, () => {
    assert.deepStrictEqual([...namesOf(error)].sort(), expected)
  })
}

const executionId = Execution.ExecutionId.make("exec_1")
const execution = new Execution.Execution({ id: executionId, status: "PROCESSING" })
const message = "failed"

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

/** One row for each tag. The type requires a row for every tag. */
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
  TransportError: [new E.TransportError({ message, reason: "reset" }), ...serverFault, "isTransportFailure"],
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
  OutputDecodeError: [
    new E.OutputDecodeError({
      message,
      executionId,
      model: "m",
      issues: [],
      completed: new Execution.Completed({ id: executionId, status: "COMPLETED" })
    }),
    "canRepeatRead"
  ],
  FileTooLarge: [new E.FileTooLarge({ message, size: 2, limit: 1 }), "canRepeatRead"],
  SubmissionOutcomeUnknown: [
    new E.SubmissionOutcomeUnknown({ message, submittedAt: DateTime.unsafeMake(0) }),
    "canRepeatRead"
  ],
  JournalError: [new E.JournalError({ message }), "canRepeatRead"]
}

describe("error predicates by tag", () => {
  for (const [tag, row] of Object.entries(byTag)) {
    it(`the example error for ${tag} has the tag ${tag}`, () => assert.strictEqual(row[0]._tag, tag))
    testPredicates(tag, row)
  }
})

describe("error predicates of a transport failure", () => {
  testPredicates("a failure to connect", [
    new E.TransportError({ message, reason: "connect" }),
    "isTransportFailure",
    "isTransportFailure",
    ...serverFault,
    "wasNotSent",
    "wasNotProcessed",
    "canRepeatWrite"
  ])
  for (const reason of ["timeout", "truncated", "unknown"] as const) {
    testPredicates(`a TransportError with the reason ${reason}`, [
      new E.TransportError({ message, reason }),
      "isTransportFailure",
      "isTransportFailure",
      ...serverFault
    ])
  }
  testPredicates("a broken connection during a write without an idempotency key", [
    new E.TransportError({ message, reason: "reset", retryable: false }),
    "isTransportFailure",
    "isTransportFailure",
    "canRepeatRead"
  ])
})

/** Returns the error of a response to a create request. */
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

describe("error predicates of a response", () => {
  testPredicates("429 with an unknown code", [created(429, { code: "NEW" }), ...rejected, "isRetryable", "isRateLimit"])
  testPredicates("429 with an unknown code that is not retryable", [
    created(429, { code: "NEW", retryable: false }),
    ...rejected,
    "isRateLimit"
  ])
  testPredicates("429 without an envelope", [created(429), ...rejected, "isRetryable", "isRateLimit"])
  testPredicates("429 of an overloaded model", [
    created(429, { code: "MODEL_OVERLOADED" }),
    ...rejected,
    ...serverFault
  ])
  testPredicates("429 of storage", [
    new E.UnexpectedResponse({ message, status: 429, retryable: true }),
    ...rejected,
    ...serverFault,
    "hasNoEnvelope",
    "isStorageRejection"
  ])
  testPredicates("RATE_LIMITED with status 503", [
    created(503, { code: "RATE_LIMITED" }),
    ...rejected,
    "isRetryable",
    "isRateLimit",
    "isHiddenRateLimit"
  ])
  testPredicates("401 without an envelope", [created(401), ...rejected, "stopsAccount"])
  testPredicates("401 with an unknown code", [created(401, { code: "NEW" }), "canRepeatRead"])
  testPredicates("403 with an unknown code", [created(403, { code: "FORBIDDEN" }), "canRepeatRead", "isClientError"])
  testPredicates("403 without an envelope", [
    created(403),
    "canRepeatRead",
    "isClientError",
    "hasNoEnvelope",
    "isForeignResponse",
    "isStorageRejection"
  ])
  testPredicates("404 with an unknown code", [
    created(404, { code: "NOT_FOUND" }),
    "isNotFound",
    "canRepeatRead",
    "isClientError",
    "isMissing",
    "isAbsent",
    "isNotReady"
  ])
  testPredicates("404 without an envelope", [
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
  testPredicates("405 with an unknown code", [
    created(405, { code: "METHOD_NOT_ALLOWED" }),
    "canRepeatRead",
    "isClientError",
    "isAbsent"
  ])
  testPredicates("409 of a create with its idempotency key", [
    created(409, { code: "IDEMPOTENCY_CONFLICT" }),
    ...serverFault,
    "isClientError",
    "isConflict",
    "isNotReady"
  ])
  testPredicates("409 without an idempotency key", [
    new E.UnrecognizedError({ code: "CONFLICT", status: 409 }),
    "canRepeatRead",
    "isClientError",
    "isConflict",
    "isNotReady"
  ])
  testPredicates("410 with an unknown code", [
    created(410, { code: "GONE" }),
    "canRepeatRead",
    "isClientError",
    "isMissing",
    "isGone"
  ])
  testPredicates("425 with an unknown code", [
    created(425, { code: "TOO_EARLY" }),
    "canRepeatRead",
    "isClientError",
    "isNotReady"
  ])
  for (const status of [400, 499]) {
    testPredicates(`${status} without an envelope`, [
      created(status),
      "canRepeatRead",
      "isClientError",
      "hasNoEnvelope",
      "isStorageRejection"
    ])
  }
  testPredicates("500 without an envelope", [created(500), ...serverFault, "hasNoEnvelope", "isForeignResponse"])
  testPredicates("399 without an envelope", [created(399), "canRepeatRead", "hasNoEnvelope", "isForeignResponse"])
  testPredicates("a redirect", [created(302), "canRepeatRead", "hasNoEnvelope", "isForeignResponse"])
  testPredicates("an undocumented 2xx response", [created(200), "canRepeatRead", "hasNoEnvelope", "isForeignResponse"])
  testPredicates("a validation error with retryable", [
    created(400, { code: "INPUT_VALIDATION_ERROR", retryable: true }),
    ...serverFault,
    "isClientError"
  ])
})

/** Returns the error of a FAILED execution with this code. */
const failed = (code: string): E.ModelRouteError =>
  classify.fromExecution(
    new Execution.Execution({
      id: executionId,
      status: "FAILED",
      error: new Execution.Failure({ code, message })
    }),
    { operation: "executions.await", attempts: 1, isRepeatable: true }
  )

describe("error predicates of a FAILED execution", () => {
  for (const code of [
    "INPUT_VALIDATION_ERROR",
    "CONTENT_MODERATION_REJECTED",
    "FILE_NOT_FOUND",
    "INSUFFICIENT_BALANCE",
    "UNAUTHORIZED",
    "INTERNAL_ERROR",
    "NEW"
  ]) {
    testPredicates(code, [failed(code), "isExecutionEnded", "canRepeatRead"])
  }
  for (const code of ["MODEL_OVERLOADED", "GENERATION_FAILED", "GENERATION_TIMEOUT", "SERVICE_UNAVAILABLE"]) {
    testPredicates(code, [failed(code), "isExecutionEnded", ...serverFault])
  }
  testPredicates("RATE_LIMITED", [
    failed("RATE_LIMITED"),
    "isExecutionEnded",
    "isRetryable",
    "isRateLimit",
    "canRepeatRead"
  ])
})
