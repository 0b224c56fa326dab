/**
 * Creates images. Stores each record with its idempotency key before it sends the create request. A restart continues
 * unfinished images without a second charge.
 */
import { createHash, randomUUID } from "node:crypto"
import { Context, Data, Effect, Fiber, FiberMap, Layer, Option, Predicate, RcMap, Schedule, Stream } from "effect"
import { Execution, ModelRouteClient, ModelRouteError, Webhook } from "effect-modelroute"
import {
  toFinalError,
  GenerationFailed,
  failWithImageError,
  KeyReused,
  NotFound,
  type OutOfService,
  logFailure,
  type ImageError
} from "./Errors.js"
import { Completed, Failed, type UnfailedImage, type Image, ImageId, Running, Submitting } from "./Image.js"
import * as Records from "./Records.js"

export class Images extends Context.Tag("backend/Images")<
  Images,
  {
    /** Submits an image. Calls with the same key return the same image. A call without a key creates a new image. */
    readonly submit: (prompt: string, key?: string) => Effect.Effect<UnfailedImage, ImageError | KeyReused>
    readonly get: (id: ImageId) => Effect.Effect<Image, NotFound | OutOfService>
    readonly png: (image: Completed) => Stream.Stream<Uint8Array, ImageError>
    /** Handles a webhook event. Succeeds after the final state of the image is stored. */
    readonly handleEvent: (event: Webhook.Event) => Effect.Effect<void, Unsaved>
  }
>() {}

/** Returns `true` if a later submission of the same image can succeed. */
const isTemporary = ({ _tag }: ImageError): boolean =>
  _tag === "TooBusy" || _tag === "OutOfCredit" || _tag === "OutOfService"

/** Returns `true` if ModelRoute responds with 404. Another wait for the execution cannot succeed. */
const isMissing = (error: ModelRouteError.AwaitFailure): boolean => "status" in error && error.status === 404

/** Retries forever with exponential backoff. Maximum delay: 1 minute. */
const untilSuccess = Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("1 minute"))

const lockFor: (id: ImageId) => Effect.Effect<Effect.Semaphore> = () => Effect.makeSemaphore(1)

/** Error for a final state that was not stored. ModelRoute delivers the event again. */
export class Unsaved extends Data.TaggedError("Unsaved") {}

/**
 * Derives the image id from an idempotency key. A backend with users should also hash the user id, because the keys of
 * two users can be equal.
 */
const toImageId = (key: string): ImageId =>
  ImageId.make(`img_${createHash("sha256").update(key).digest("hex").slice(0, 32)}`)

const newId = Effect.sync(() => ImageId.make(`img_${randomUUID().replaceAll("-", "")}`))

export const layer: Layer.Layer<Images, OutOfService, ModelRouteClient.ModelRouteClient | Records.Records> =
  Layer.scoped(
    Images,
    Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      const { executions, files } = client
      const records = yield* Records.Records
      const scope = yield* Effect.scope
      const locks = yield* RcMap.make({ lookup: lockFor })
      const waits = yield* FiberMap.make<Execution.ExecutionId, void, ModelRouteError.AwaitFailure | OutOfService>()

      /** Waits until the execution ends. A webhook event ends the wait, and polls are the fallback. */
      const awaitImage = ({ executionId, id, prompt }: Running, options: ModelRouteClient.AwaitOptions) =>
        executions.await(executionId, { pollSchedule: Webhook.pollSchedule, ...options }).pipe(
          Effect.map(({ fileIds: [fileId] }) =>
            fileId === undefined
              ? new Failed({
                  executionId,
                  id,
                  prompt,
                  failure: new GenerationFailed({ message: "The execution returned no image." })
                })
              : new Completed({ executionId, id, prompt, fileId })
          ),
          Effect.catchAll((error) =>
            Effect.gen(function* () {
              yield* logFailure(error)
              if (!ModelRouteError.isExecutionEnded(error) && !isMissing(error)) return yield* error
              return new Failed({ executionId, id, prompt, failure: toFinalError(error) })
            })
          )
        )

      const finish = (image: Running, options: ModelRouteClient.AwaitOptions) =>
        Effect.flatMap(awaitImage(image, options), records.set).pipe(
          Effect.retry(untilSuccess),
          Effect.withSpan("Images.finish")
        )

      const startWait = (image: Running, options: ModelRouteClient.AwaitOptions) =>
        FiberMap.run(waits, image.executionId, finish(image, options), { onlyIfMissing: true }).pipe(
          Effect.zipRight(Effect.yieldNow()) // Starts the span of the wait inside the current span.
        )

      const submitOnce = (id: ImageId, prompt: string, shouldRemove: (trouble: ImageError) => boolean) =>
        Effect.gen(function* () {
          const stored = yield* records.get(id)
          const known = Option.getOrElse(stored, () => new Submitting({ id, prompt }))
          if (known._tag !== "Submitting" || known.prompt !== prompt) return known
          yield* records.set(known)
          const request = { model: "flux-1.1-pro", input: { prompt }, metadata: { image: id } }
          const { id: executionId } = yield* executions.create(request, { idempotencyKey: id }).pipe(
            Effect.catchAll(failWithImageError),
            Effect.tapError((trouble) => (shouldRemove(trouble) ? records.remove(id) : Effect.void))
          )
          const image = new Running({ id, prompt, executionId })
          yield* records.set(image)
          // The execution of an earlier submission may have ended already.
          yield* startWait(image, { pollImmediately: Option.isSome(stored) })
          return image
        })

      /** Runs one submission per id at a time. Client disconnects do not interrupt the submission. */
      const submitExclusively = (id: ImageId, prompt: string, isLost: (trouble: ImageError) => boolean) =>
        RcMap.get(locks, id).pipe(
          Effect.flatMap((lock) => lock.withPermits(1)(submitOnce(id, prompt, isLost))),
          Effect.scoped,
          Effect.forkIn(scope),
          Effect.flatMap(Fiber.join)
        )

      const submit = Effect.fn("Images.submit")(function* (prompt: string, key?: string) {
        const id = key === undefined ? yield* newId : toImageId(key)
        // The client receives every error and can retry. A restart must not submit a failed image again.
        const image = yield* submitExclusively(id, prompt, () => true)
        if (image.prompt !== prompt) {
          return yield* new KeyReused({ message: "This idempotency key was used for another prompt." })
        }
        return image._tag === "Failed" ? yield* image.failure : image
      })

      const handleEvent = Effect.fn("Images.handleEvent")(function* (event: Webhook.Event) {
        yield* Webhook.notifyClient(event)
        const { execution } = event
        if (execution === undefined || !Execution.isTerminal(execution)) return
        yield* Effect.transposeMapOption(FiberMap.unsafeGet(waits, execution.id), Fiber.join).pipe(
          Effect.timeout("20 seconds"),
          Effect.mapError(() => new Unsaved())
        )
      })

      /** Continues an image after a restart. Polls immediately, because events may have been lost. */
      const resume = (image: Image) =>
        image._tag === "Running"
          ? startWait(image, { pollImmediately: true })
          : submitExclusively(image.id, image.prompt, Predicate.not(isTemporary)).pipe(
              Effect.retry({ schedule: untilSuccess, while: isTemporary }),
              Effect.ignore,
              Effect.forkIn(scope)
            )

      yield* Effect.forEach(yield* records.unfinished, resume, { discard: true })

      return {
        submit,
        get: (id) =>
          Effect.flatMap(
            records.get(id),
            Option.match({
              onNone: () => new NotFound({ message: "Image not found." }),
              onSome: (image) => Effect.succeed(image)
            })
          ),
        png: ({ fileId }) => Stream.catchAll(files.download(fileId), failWithImageError),
        handleEvent: (event) => Effect.provideService(handleEvent(event), ModelRouteClient.ModelRouteClient, client)
      }
    })
  )
