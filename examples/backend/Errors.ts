/**
 * What can go wrong, in the words of this backend's own clients: few errors, each with its HTTP status. Of ModelRoute they
 * hear only what they can use: what is wrong with a prompt, and when to come back.
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Duration, Effect, Match, Schema } from "effect"
import type { ModelRouteError } from "effect-modelroute"

/** The user has to write something else. */
export class PromptRefused extends Schema.TaggedError<PromptRefused>("backend/PromptRefused")(
  "PromptRefused",
  {
    message: Schema.String,
    details: Schema.Array(Schema.Struct({ field: Schema.String, message: Schema.String }))
  },
  HttpApiSchema.annotations({ status: 422 })
) {}

/** Nothing will come of this image; another request, under another idempotency key, makes another one. */
export class GenerationFailed extends Schema.TaggedError<GenerationFailed>("backend/GenerationFailed")(
  "GenerationFailed",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 502 })
) {}

/** It passes by itself: the same request, under the same idempotency key, can succeed after so many seconds. */
export class TooBusy extends Schema.TaggedError<TooBusy>("backend/TooBusy")(
  "TooBusy",
  { message: Schema.String, retryAfter: Schema.Int },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** The balance is ours, and so is the duty to top it up. */
export class OutOfCredit extends Schema.TaggedError<OutOfCredit>("backend/OutOfCredit")(
  "OutOfCredit",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** Somebody has to mend this backend, who has been told by the log. */
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

/** It was there, but files are not kept for ever. */
export class Gone extends Schema.TaggedError<Gone>("backend/Gone")(
  "Gone",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 410 })
) {}

/** One idempotency key, two prompts. */
export class KeyReused extends Schema.TaggedError<KeyReused>("backend/KeyReused")(
  "KeyReused",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}

/** What a call of ModelRoute can come to here. */
export type Trouble = PromptRefused | GenerationFailed | TooBusy | OutOfCredit | OutOfService | Gone

const busy = (retryAfter: Duration.DurationInput) => () =>
  new TooBusy({
    message: "There is too much to do at the moment.",
    retryAfter: Math.max(1, Math.ceil(Duration.toSeconds(retryAfter)))
  })

const failed = () => new GenerationFailed({ message: "The image could not be made. Ask for it again as a new one." })

export const outOfService = () => new OutOfService({ message: "The service is out of order. We are on it." })

/** Every error of ModelRoute. One that is forgotten here, or that a later version adds, does not compile. */
export const troubleOf: (error: ModelRouteError.AwaitFailure) => Trouble = Match.typeTags<
  ModelRouteError.AwaitFailure,
  Trouble
>()({
  InputValidationError: ({ details }) =>
    new PromptRefused({
      message: "The prompt cannot be used.",
      details: details.map(({ field, message }) => ({ field: field.replace(/^input\./, ""), message }))
    }),
  ContentModerationRejected: () => new PromptRefused({ message: "The prompt breaks the rules.", details: [] }),
  FileNotFound: () => new Gone({ message: "The image is no longer kept." }),
  FileFormatUnsupported: outOfService,
  InsufficientBalance: () => new OutOfCredit({ message: "No images can be made at the moment." }),
  RateLimited: ({ retryAfter = Duration.minutes(1) }) => busy(retryAfter)(),
  ModelOverloaded: busy("30 seconds"),
  ModelUnavailable: busy("1 minute"),
  GenerationTimeout: failed,
  GenerationFailed: failed,
  ServiceUnavailable: busy("2 minutes"),
  InternalError: failed,
  Unauthorized: outOfService,
  UnrecognizedError: ({ retryable }) => (retryable ? busy("1 minute")() : failed()),
  UnexpectedResponse: ({ retryable }) => (retryable ? busy("10 seconds")() : outOfService()),
  TransportError: busy("5 seconds"),
  InvalidRequest: outOfService,
  ExecutionCancelled: failed,
  ExecutionExpired: failed,
  AwaitTimeout: busy("10 seconds")
})

/** The same as the end of an image: by then no request can go on with it. */
export const endOf = (error: ModelRouteError.AwaitFailure): PromptRefused | GenerationFailed => {
  const trouble = troubleOf(error)
  return trouble._tag === "PromptRefused" ? trouble : failed()
}

/** What only its owner can mend is an error in the log, all else a warning. The library's messages hold no secret and no prompt. */
export const told = (error: ModelRouteError.AwaitFailure): Effect.Effect<void> => {
  const { _tag } = troubleOf(error)
  return _tag === "OutOfService" || _tag === "OutOfCredit" || error._tag === "InternalError"
    ? Effect.logError(error.message)
    : Effect.logWarning(error.message)
}

export const inOurWords = (error: ModelRouteError.AwaitFailure): Effect.Effect<never, Trouble> =>
  Effect.zipRight(told(error), Effect.fail(troubleOf(error)))
