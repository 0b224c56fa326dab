/**
 * Selects a store in a folder or in memory.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Path from "@effect/platform/Path"
import { Config, type ConfigError, Effect, Layer, Option } from "effect"

/**
 * Returns a store in a folder. Writes each value to a temporary file first. `KeyValueStore.layerFileSystem` writes in
 * place, and a killed process can leave an incomplete value.
 */
export const layerFolder = (
  folder: string
): Layer.Layer<KeyValueStore.KeyValueStore, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    KeyValueStore.KeyValueStore,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { join } = yield* Path.Path
      const { clear, get, getUint8Array, has, remove, set, size } = yield* KeyValueStore.KeyValueStore
      const pathOf = (key: string) => join(folder, encodeURIComponent(key))
      let writes = 0
      return KeyValueStore.make({
        clear,
        get,
        getUint8Array,
        has,
        remove,
        size,
        set: (key, value) =>
          Effect.suspend(() => {
            const part = `${key}.${++writes}.part`
            return Effect.zipRight(set(part, value), files.rename(pathOf(part), pathOf(key)))
          })
      })
    })
  ).pipe(Layer.provide(KeyValueStore.layerFileSystem(folder)))

/** Uses the folder `IMAGES_FOLDER`. Default: memory. */
export const layer: Layer.Layer<
  KeyValueStore.KeyValueStore,
  PlatformError | ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Config.nonEmptyString("IMAGES_FOLDER").pipe(
  Config.option,
  Effect.map(Option.match({ onNone: () => KeyValueStore.layerMemory, onSome: layerFolder })),
  Layer.unwrapEffect
)
