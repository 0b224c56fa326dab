/**
 * Declares the errors of this backend and their HTTP statuses. Error responses contain only invalid fields and retry
 * delays. The log contains the details.
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Duration, Effect, Match, Schema } from "effect"
import type { ModelRouteError } from "effect-modelroute"

/** Error for an invalid or rejected prompt. The user must change the prompt. */
export class PromptRejected extends Schema.TaggedError<PromptRejected>("backend/PromptRejected")(
  "PromptRejected",
  {
    message: Schema.String,
    details: Schema.Array(Schema.Struct({ field: Schema.String, message: Schema.String }))
  },
  HttpApiSchema.annotations({ status: 422 })
) {}

/** Error for a permanent failure. A request with another idempotency key creates another image. */
export class GenerationFailed extends Schema.TaggedError<GenerationFailed>("backend/GenerationFailed")(
  "GenerationFailed",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 502 })
) {}

/**
 * Error for a temporary failure. The client can repeat the request with the same idempotency key after `retryAfter`
 * seconds.
 */
export class TooBusy extends Schema.TaggedError<TooBusy>("backend/TooBusy")(
  "TooBusy",
  { message: Schema.String, retryAfter: Schema.Int },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** Error for an insufficient balance. The owner of this backend must top up the balance. */
export class OutOfCredit extends Schema.TaggedError<OutOfCredit>("backend/OutOfCredit")(
  "OutOfCredit",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** Error for a faulty configuration or a bug. The log contains the reason. */
export class OutOfService extends Schema.TaggedError<OutOfService>("backend/OutOfService")(
  "OutOfService",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

export class NotFound extends Schema.TaggedError<NotFound>("backend/NotFound")(
  "NotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404 })
) {}

/** Error for an expired file. */
export class Gone extends Schema.TaggedError<Gone>("backend/Gone")(
  "Gone",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 410 })
) {}

/** Error for an idempotency key that was already used for another prompt. */
export class KeyReused extends Schema.TaggedError<KeyReused>("backend/KeyReused")(
  "KeyReused",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}

/** Errors that `toImageError` returns. */
export type ImageError = PromptRejected | GenerationFailed | TooBusy | OutOfCredit | OutOfService | Gone

const makeTooBusy = (retryAfter: Duration.DurationInput) => () =>
  new TooBusy({
    message: "The service is busy. Try again later.",
    retryAfter: Math.max(1, Math.ceil(Duration.toSeconds(retryAfter)))
  })

const makeGenerationFailed = () =>
  new GenerationFailed({ message: "The image generation failed. Submit a new request." })

export const makeOutOfService = () => new OutOfService({ message: "The service is unavailable." })

/** Maps each ModelRoute error to an error of this backend. An unhandled tag is a type error. */
export const toImageError: (error: ModelRouteError.AwaitFailure) => ImageError = Match.typeTags<
  ModelRouteError.AwaitFailure,
  ImageError
>()({
  InputValidationError: ({ details }) =>
    new PromptRejected({
      message: "The prompt is invalid.",
      details: details.map(({ field, message }) => ({ field: field.replace(/^input\./, ""), message }))
    }),
  ContentModerationRejected: () =>
    new PromptRejected({ message: "The prompt violates the content policy.", details: [] }),
  FileNotFound: () => new Gone({ message: "The image has expired." }),
  FileFormatUnsupported: makeOutOfService,
  InsufficientBalance: () => new OutOfCredit({ message: "Image generation is unavailable." }),
  RateLimited: ({ retryAfter = Duration.minutes(1) }) => makeTooBusy(retryAfter)(),
  ModelOverloaded: makeTooBusy("30 seconds"),
  ModelUnavailable: makeTooBusy("1 minute"),
  GenerationTimeout: makeGenerationFailed,
  GenerationFailed: makeGenerationFailed,
  ServiceUnavailable: makeTooBusy("2 minutes"),
  InternalError: makeGenerationFailed,
  Unauthorized: makeOutOfService,
  UnrecognizedError: ({ retryable }) => (retryable ? makeTooBusy("1 minute")() : makeGenerationFailed()),
  UnexpectedResponse: ({ retryable }) => (retryable ? makeTooBusy("10 seconds")() : makeOutOfService()),
  TransportError: makeTooBusy("5 seconds"),
  InvalidRequest: makeOutOfService,
  ExecutionCancelled: makeGenerationFailed,
  ExecutionExpired: makeGenerationFailed,
  AwaitTimeout: makeTooBusy("10 seconds")
})

/** Maps the error of a failed image to the error that is stored in its record. */
export const toFinalError = (error: ModelRouteError.AwaitFailure): PromptRejected | GenerationFailed => {
  const trouble = toImageError(error)
  return trouble._tag === "PromptRejected" ? trouble : makeGenerationFailed()
}

/**
 * Logs failures that the owner must fix as errors, and other failures as warnings. Library messages contain no secret
 * and no prompt.
 */
export const logFailure = (error: ModelRouteError.AwaitFailure): Effect.Effect<void> => {
  const { _tag } = toImageError(error)
  return _tag === "OutOfService" || _tag === "OutOfCredit" || error._tag === "InternalError"
    ? Effect.logError(error.message)
    : Effect.logWarning(error.message)
}

export const failWithImageError = (error: ModelRouteError.AwaitFailure): Effect.Effect<never, ImageError> =>
  Effect.zipRight(logFailure(error), Effect.fail(toImageError(error)))
