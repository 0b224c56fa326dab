/**
 * The images that this backend knows, in a `KeyValueStore`. A store cannot list its keys, so one value in it names the images
 * that are not finished: with them a restart goes on.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Array, Context, Effect, Layer, Option, type ParseResult, Schema } from "effect"
import { outOfService, type OutOfService } from "./Errors.js"
import { Image, ImageId, isFinished } from "./Image.js"

export class Records extends Context.Tag("backend/Records")<
  Records,
  {
    readonly get: (id: ImageId) => Effect.Effect<Option.Option<Image>, OutOfService>
    /** When it succeeds, the image is in the store. */
    readonly set: (image: Image) => Effect.Effect<void, OutOfService>
    readonly remove: (id: ImageId) => Effect.Effect<void, OutOfService>
    readonly unfinished: Effect.Effect<ReadonlyArray<Image>, OutOfService>
  }
>() {}

const keyOf = (id: ImageId) => `image-${id}`
const indexKey = "unfinished"

const guarded = <A>(effect: Effect.Effect<A, PlatformError | ParseResult.ParseError>): Effect.Effect<A, OutOfService> =>
  Effect.catchAll(effect, ({ message }) => Effect.zipRight(Effect.logError(message), Effect.suspend(outOfService)))

export const layer: Layer.Layer<Records, OutOfService, KeyValueStore.KeyValueStore> = Layer.effect(
  Records,
  Effect.gen(function* () {
    const store = yield* KeyValueStore.KeyValueStore
    const images = store.forSchema(Image)
    const index = store.forSchema(Schema.Array(ImageId))
    const ids = new Set(Option.getOrElse(yield* guarded(index.get(indexKey)), () => []))

    const writing = yield* Effect.makeSemaphore(1)
    let changes = 0
    let written = 0

    /** Leaves the index with the next writing: that it names too many does no harm. */
    const done = (id: ImageId) => Effect.sync(() => void ids.delete(id))

    /** What comes while the index is being written goes into the next writing together. */
    const begun = (id: ImageId): Effect.Effect<void, PlatformError | ParseResult.ParseError> =>
      Effect.suspend(() => {
        if (ids.has(id)) return Effect.void
        ids.add(id)
        const mine = ++changes
        const write = Effect.suspend(() => {
          if (written >= mine) return Effect.void
          const upTo = changes
          return Effect.map(index.set(indexKey, [...ids]), () => {
            written = upTo
          })
        })
        return Effect.tapError(writing.withPermits(1)(write), () => done(id))
      })

    const get = (id: ImageId) => guarded(images.get(keyOf(id)))

    const stillUnfinished = (id: ImageId) =>
      get(id).pipe(
        Effect.map(Option.filter((image) => !isFinished(image))),
        Effect.tap((image) => (Option.isNone(image) ? done(id) : Effect.void))
      )

    return {
      get,
      set: (image) => {
        const save = images.set(keyOf(image.id), image)
        return guarded(
          isFinished(image) ? Effect.zipRight(save, done(image.id)) : Effect.zipRight(begun(image.id), save)
        )
      },
      remove: (id) => guarded(Effect.zipRight(images.remove(keyOf(id)), done(id))),
      unfinished: Effect.suspend(() => Effect.forEach([...ids], stillUnfinished)).pipe(Effect.map(Array.getSomes))
    }
  })
)
