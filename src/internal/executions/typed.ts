/**
 * Submits executions of typed models.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { CreateRequest } from "../../Execution.js"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import { checkKey } from "../http/idempotencyKey.js"
import { toCreateRequest } from "../typedModels/request.js"
import { type Request, RequestTypeId, type UploadSource } from "../typedModels/types.js"
import type { CallStats } from "../telemetry.js"
import { type ExecutionsContext, submit, type SubmittedExecution, type WrapCreate } from "./operations.js"
import type { CreateOptions } from "./optionTypes.js"
import { encodeCreateBody } from "./requests.js"

const operation = "executions.create"

/** Checks the whole request, uploads the files of its input, and returns the request with the encoded input. */
const encodeRequest = <E>(
  upload: UploadSource,
  request: Request<unknown, E>,
  { idempotencyKey }: CreateOptions
): Effect.Effect<CreateRequest, E | InvalidRequest> =>
  Effect.gen(function* () {
    const { finish, input } = yield* request[RequestTypeId].prepareInput(operation)
    if (finish === undefined) return toCreateRequest(request, input)
    // An invalid field must cause `InvalidRequest` before the first upload.
    yield* encodeCreateBody(operation, toCreateRequest(request, input))
    if (idempotencyKey !== undefined) yield* checkKey(operation, idempotencyKey)
    return toCreateRequest(request, yield* finish(upload))
  })

/** @internal */
export const submitTyped = <E>(
  context: ExecutionsContext,
  request: Request<unknown, E>,
  options: CreateOptions,
  stats: CallStats,
  wrap?: WrapCreate
): Effect.Effect<SubmittedExecution, RequestFailure | E> =>
  Effect.flatMap(encodeRequest(context.upload, request, options), (encoded) =>
    submit(context, encoded, options, stats, wrap)
  )
