/**
 * Stores images in a `KeyValueStore`. A separate index lists the unfinished images for a restart, because a store
 * cannot list its keys.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Array, Context, Effect, Layer, Option, type ParseResult, Schema } from "effect"
import { makeOutOfService, type OutOfService } from "./Errors.js"
import { Image, ImageId, isFinished } from "./Image.js"

export class Records extends Context.Tag("backend/Records")<
  Records,
  {
    readonly get: (id: ImageId) => Effect.Effect<Option.Option<Image>, OutOfService>
    /** Stores an image and updates the index of unfinished images. */
    readonly set: (image: Image) => Effect.Effect<void, OutOfService>
    readonly remove: (id: ImageId) => Effect.Effect<void, OutOfService>
    readonly unfinished: Effect.Effect<ReadonlyArray<Image>, OutOfService>
  }
>() {}

const keyOf = (id: ImageId) => `image-${id}`
const indexKey = "unfinished"

const orOutOfService = <A>(
  effect: Effect.Effect<A, PlatformError | ParseResult.ParseError>
): Effect.Effect<A, OutOfService> =>
  Effect.catchAll(effect, ({ message }) => Effect.zipRight(Effect.logError(message), Effect.suspend(makeOutOfService)))

export const layer: Layer.Layer<Records, OutOfService, KeyValueStore.KeyValueStore> = Layer.effect(
  Records,
  Effect.gen(function* () {
    const store = yield* KeyValueStore.KeyValueStore
    const images = store.forSchema(Image)
    const index = store.forSchema(Schema.Array(ImageId))
    const ids = new Set(Option.getOrElse(yield* orOutOfService(index.get(indexKey)), () => []))

    const writeLock = yield* Effect.makeSemaphore(1)
    let revision = 0
    let writtenRevision = 0

    /** Removes an id from the index with the next write. Obsolete ids in the stored index are harmless. */
    const removeFromIndex = (id: ImageId) => Effect.sync(() => void ids.delete(id))

    /** Adds an id to the index. Combines ids that arrive during a write into one later write. */
    const addToIndex = (id: ImageId): Effect.Effect<void, PlatformError | ParseResult.ParseError> =>
      Effect.suspend(() => {
        if (ids.has(id)) return Effect.void
        ids.add(id)
        const ownRevision = ++revision
        const write = Effect.suspend(() => {
          if (writtenRevision >= ownRevision) return Effect.void
          const upTo = revision
          return Effect.map(index.set(indexKey, [...ids]), () => {
            writtenRevision = upTo
          })
        })
        return Effect.tapError(writeLock.withPermits(1)(write), () => removeFromIndex(id))
      })

    const get = (id: ImageId) => orOutOfService(images.get(keyOf(id)))

    const getUnfinished = (id: ImageId) =>
      get(id).pipe(
        Effect.map(Option.filter((image) => !isFinished(image))),
        Effect.tap((image) => (Option.isNone(image) ? removeFromIndex(id) : Effect.void))
      )

    return {
      get,
      set: (image) => {
        const save = images.set(keyOf(image.id), image)
        return orOutOfService(
          isFinished(image)
            ? Effect.zipRight(save, removeFromIndex(image.id))
            : Effect.zipRight(addToIndex(image.id), save)
        )
      },
      remove: (id) => orOutOfService(Effect.zipRight(images.remove(keyOf(id)), removeFromIndex(id))),
      unfinished: Effect.suspend(() => Effect.forEach([...ids], getUnfinished)).pipe(Effect.map(Array.getSomes))
    }
  })
)
