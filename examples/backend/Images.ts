/**
 * Images, from the prompt to the PNG. What is paid for is never lost, and never paid for twice: a record with the key of the
 * execution is in the store before ModelRoute hears of it, and what a restart finds unfinished goes on.
 */
import { createHash, randomUUID } from "node:crypto"
import { Context, Data, Effect, Fiber, FiberMap, Layer, Option, Predicate, RcMap, Schedule, Stream } from "effect"
import { Execution, ModelRouteClient, ModelRouteError, Webhook } from "effect-modelroute"
import {
  endOf,
  GenerationFailed,
  inOurWords,
  KeyReused,
  NotFound,
  type OutOfService,
  told,
  type Trouble
} from "./Errors.js"
import { Completed, Failed, type Hopeful, type Image, ImageId, Running, Submitting } from "./Image.js"
import * as Records from "./Records.js"

export class Images extends Context.Tag("backend/Images")<
  Images,
  {
    /** The same key gives the same image, and no second execution; without a key it is a new one. */
    readonly submit: (prompt: string, key?: string) => Effect.Effect<Hopeful, Trouble | KeyReused>
    readonly get: (id: ImageId) => Effect.Effect<Image, NotFound | OutOfService>
    readonly png: (image: Completed) => Stream.Stream<Uint8Array, Trouble>
    /** When it succeeds, the end that a webhook tells of is in the store. */
    readonly hear: (event: Webhook.Event) => Effect.Effect<void, Unsaved>
  }
>() {}

/** The same submission can succeed later. */
const passes = ({ _tag }: Trouble): boolean => _tag === "TooBusy" || _tag === "OutOfCredit" || _tag === "OutOfService"

/** ModelRoute does not know it any more, so no wait will tell how it ended. */
const isMissing = (error: ModelRouteError.AwaitFailure): boolean => "status" in error && error.status === 404

/** As long as it takes. */
const patiently = Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("1 minute"))

const lockFor: (id: ImageId) => Effect.Effect<Effect.Semaphore> = () => Effect.makeSemaphore(1)

/** ModelRoute will deliver the event again. */
export class Unsaved extends Data.TaggedError("Unsaved") {}

/** In a backend that has users, hash who it is as well: a key is a client's own. */
const idOf = (key: string): ImageId =>
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

      /** The event ends the wait; the few looks are for the event that never comes. */
      const end = ({ executionId, id, prompt }: Running, options: ModelRouteClient.AwaitOptions) =>
        executions.await(executionId, { pollSchedule: Webhook.pollSchedule, ...options }).pipe(
          Effect.map(({ fileIds: [fileId] }) =>
            fileId === undefined
              ? new Failed({
                  executionId,
                  id,
                  prompt,
                  failure: new GenerationFailed({ message: "There is no image." })
                })
              : new Completed({ executionId, id, prompt, fileId })
          ),
          Effect.catchAll((error) =>
            Effect.gen(function* () {
              yield* told(error)
              if (!ModelRouteError.isExecutionEnded(error) && !isMissing(error)) return yield* error
              return new Failed({ executionId, id, prompt, failure: endOf(error) })
            })
          )
        )

      const finish = (image: Running, options: ModelRouteClient.AwaitOptions) =>
        Effect.flatMap(end(image, options), records.set).pipe(Effect.retry(patiently), Effect.withSpan("Images.finish"))

      const wait = (image: Running, options: ModelRouteClient.AwaitOptions) =>
        FiberMap.run(waits, image.executionId, finish(image, options), { onlyIfMissing: true }).pipe(
          Effect.zipRight(Effect.yieldNow()) // so that its span begins within this one
        )

      const submission = (id: ImageId, prompt: string, isLost: (trouble: Trouble) => boolean) =>
        Effect.gen(function* () {
          const stored = yield* records.get(id)
          const known = Option.getOrElse(stored, () => new Submitting({ id, prompt }))
          if (known._tag !== "Submitting" || known.prompt !== prompt) return known
          yield* records.set(known)
          const request = { model: "flux-1.1-pro", input: { prompt }, metadata: { image: id } }
          const { id: executionId } = yield* executions.create(request, { idempotencyKey: id }).pipe(
            Effect.catchAll(inOurWords),
            Effect.tapError((trouble) => (isLost(trouble) ? records.remove(id) : Effect.void))
          )
          const image = new Running({ id, prompt, executionId })
          yield* records.set(image)
          // Submitted before, it may have ended meanwhile.
          yield* wait(image, { pollImmediately: Option.isSome(stored) })
          return image
        })

      /** One at a time for each image, and to its end, also when the client who asked for it has left. */
      const submitted = (id: ImageId, prompt: string, isLost: (trouble: Trouble) => boolean) =>
        RcMap.get(locks, id).pipe(
          Effect.flatMap((lock) => lock.withPermits(1)(submission(id, prompt, isLost))),
          Effect.scoped,
          Effect.forkIn(scope),
          Effect.flatMap(Fiber.join)
        )

      const submit = Effect.fn("Images.submit")(function* (prompt: string, key?: string) {
        const id = key === undefined ? yield* newId : idOf(key)
        // Whoever asked is told, and decides whether to try again: nothing is left that a restart would do on its own.
        const image = yield* submitted(id, prompt, () => true)
        if (image.prompt !== prompt) {
          return yield* new KeyReused({ message: "This idempotency key was used for another prompt." })
        }
        return image._tag === "Failed" ? yield* image.failure : image
      })

      const hear = Effect.fn("Images.hear")(function* (event: Webhook.Event) {
        yield* Webhook.notifyClient(event)
        const { execution } = event
        if (execution === undefined || !Execution.isTerminal(execution)) return
        yield* Effect.transposeMapOption(FiberMap.unsafeGet(waits, execution.id), Fiber.join).pipe(
          Effect.timeout("20 seconds"),
          Effect.mapError(() => new Unsaved())
        )
      })

      /** Events may have come in vain while this backend was away. */
      const resume = (image: Image) =>
        image._tag === "Running"
          ? wait(image, { pollImmediately: true })
          : submitted(image.id, image.prompt, Predicate.not(passes)).pipe(
              Effect.retry({ schedule: patiently, while: passes }),
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
              onNone: () => new NotFound({ message: "There is no such image." }),
              onSome: (image) => Effect.succeed(image)
            })
          ),
        png: ({ fileId }) => Stream.catchAll(files.download(fileId), inOurWords),
        hear: (event) => Effect.provideService(hear(event), ModelRouteClient.ModelRouteClient, client)
      }
    })
  )
