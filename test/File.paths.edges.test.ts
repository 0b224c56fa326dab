/** What a download does to a disk that takes little at a time and loses what is not synced; names as Windows has them. */
import { readFileSync, writeFileSync } from "node:fs"
import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { File } from "effect-modelroute"

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

const test = <A, E>(title: string, use: (folder: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  it.scoped(title, () => Effect.provide(Effect.flatMap(folder, use), NodeContext.layer))

const bytes = (text: string) => new TextEncoder().encode(text)

/** The disk, with what is done to it told in order; single writes take one byte. */
const disk = Effect.map(FileSystem.FileSystem, (fs) => {
  const done: Array<string> = []
  const told =
    (what: string) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.tap(effect, () => Effect.sync(() => void done.push(what)))
  const slow: FileSystem.FileSystem = {
    ...fs,
    open: (path, options) =>
      Effect.map(
        Effect.tap(fs.open(path, options), () => Effect.addFinalizer(() => Effect.sync(() => void done.push("close")))),
        (file): FileSystem.File => ({
          [FileSystem.FileTypeId]: FileSystem.FileTypeId,
          fd: file.fd,
          stat: file.stat,
          seek: (offset, from) => file.seek(offset, from),
          sync: told("sync")(file.sync),
          read: (buffer) => file.read(buffer),
          readAlloc: (size) => file.readAlloc(size),
          truncate: (length) => file.truncate(length),
          write: (buffer) => file.write(buffer.subarray(0, 1)),
          writeAll: (buffer) => told("write")(file.writeAll(buffer))
        })
      ),
    rename: (from, to) => told("rename")(fs.rename(from, to))
  }
  return { done, fs: slow }
})

describe("toPath", () => {
  test("gives the name only to what is on the disk: written whole, synced and closed", (folder) =>
    Effect.gen(function* () {
      const { done, fs } = yield* disk
      const path = `${folder}/fox.txt`
      const written = File.toPath(path)(Stream.make(bytes("a red "), bytes("fox")))
      yield* Effect.provideService(written, FileSystem.FileSystem, fs)
      assert.strictEqual(readFileSync(path, "utf8"), "a red fox")
      assert.deepStrictEqual(done, ["write", "write", "sync", "close", "rename"])
    }))
})

describe("fromPath", () => {
  test("takes for the name what follows the last separator, also as Windows has it", (folder) =>
    Effect.gen(function* () {
      writeFileSync(`${folder}/plans\\fox.png`, "fox")
      const source = yield* File.fromPath(`${folder}/plans\\fox.png`)
      assert.strictEqual(source.name, "fox.png")
      assert.strictEqual(source.size, 3)
    }))
})
