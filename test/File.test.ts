/** Tests file sources and destinations on a real disk. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Random, Stream } from "effect"
import { File } from "effect-modelroute"
import { failureOf } from "./utils/exit.js"
import { fakeUploadApi } from "./utils/uploads.js"

const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

const test = <A, E>(title: string, use: (folder: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  it.scoped(title, () => Effect.provide(Effect.flatMap(temporaryFolder, use), NodeContext.layer))

const bytes = (text: string) => new TextEncoder().encode(text)

/** Creates a file system that records its operations in order. Each `write` writes only one byte. */
const recordingFileSystem = Effect.map(FileSystem.FileSystem, (fs) => {
  const operations: Array<string> = []
  const record =
    (operation: string) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.tap(effect, () => Effect.sync(() => void operations.push(operation)))
  const recording: FileSystem.FileSystem = {
    ...fs,
    open: (path, options) =>
      Effect.map(
        Effect.tap(fs.open(path, options), () =>
          Effect.addFinalizer(() => Effect.sync(() => void operations.push("close")))
        ),
        (file): FileSystem.File => ({
          [FileSystem.FileTypeId]: FileSystem.FileTypeId,
          fd: file.fd,
          stat: file.stat,
          seek: (offset, from) => file.seek(offset, from),
          sync: record("sync")(file.sync),
          read: (buffer) => file.read(buffer),
          readAlloc: (size) => file.readAlloc(size),
          truncate: (length) => file.truncate(length),
          write: (buffer) => file.write(buffer.subarray(0, 1)),
          writeAll: (buffer) => record("write")(file.writeAll(buffer))
        })
      ),
    rename: (from, to) => record("rename")(fs.rename(from, to))
  }
  return { operations, fs: recording }
})

describe("File.fromPath", () => {
  test("returns a source with the size, name and chunks of the file", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.bin`
      writeFileSync(path, Buffer.alloc(200_000, "fox"))
      const source = yield* File.fromPath(path)
      assert.strictEqual(source.size, 200_000)
      assert.strictEqual(source.name, "fox.bin")
      const lengths = yield* Stream.runCollect(Stream.map(source.stream, ({ length }) => length))
      assert.deepStrictEqual([...lengths], [65_536, 65_536, 65_536, 3392])
      const api = fakeUploadApi()
      yield* (yield* api.client).files.upload(source)
      assert.strictEqual(api.bodies[1], readFileSync(path, "latin1"))
    }))

  test("reads a file of 20 MiB in chunks of 256 KiB", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/large.bin`
      writeFileSync(path, Buffer.alloc(20 * 1024 * 1024))
      const source = yield* File.fromPath(path)
      const lengths = yield* Stream.runCollect(Stream.map(source.stream, ({ length }) => length))
      assert.deepStrictEqual(
        [...lengths],
        Array.from({ length: 80 }, () => 256 * 1024)
      )
    }))

  test("fails if the file is missing, is a directory or changes before the upload", (folder) =>
    Effect.gen(function* () {
      const missing = failureOf(yield* Effect.exit(File.fromPath(`${folder}/none`)))
      assert.strictEqual(missing._tag === "SystemError" && missing.reason, "NotFound")
      const directory = failureOf(yield* Effect.exit(File.fromPath(folder)))
      assert.strictEqual(directory._tag, "BadArgument")
      assert.include(directory.message, "is not a file")

      const path = `${folder}/changing`
      writeFileSync(path, "0123456789")
      const source = yield* File.fromPath(path)
      writeFileSync(path, "012345678901")
      const { files } = yield* fakeUploadApi().client
      const longer = failureOf(yield* Effect.exit(files.upload(source)))
      assert.strictEqual(longer._tag === "InvalidRequest" && longer.field, "source")
      const fs = yield* FileSystem.FileSystem
      yield* fs.remove(path)
      const gone = failureOf(yield* Effect.exit(files.upload(source)))
      assert.strictEqual(gone._tag === "SystemError" && gone.reason, "NotFound")
    }))

  test("sets name to the part of the path after the last slash or backslash", (folder) =>
    Effect.gen(function* () {
      writeFileSync(`${folder}/plans\\fox.png`, "fox")
      const source = yield* File.fromPath(`${folder}/plans\\fox.png`)
      assert.strictEqual(source.name, "fox.png")
      assert.strictEqual(source.size, 3)
    }))
})

describe("File.toPath", () => {
  test("replaces an existing file", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.txt`
      writeFileSync(path, "an older and longer one")
      const written = yield* Stream.make(bytes("a red "), bytes("fox")).pipe(File.toPath(path))
      assert.deepStrictEqual(written, { path, size: 9 })
      assert.strictEqual(readFileSync(path, "utf8"), "a red fox")
      assert.deepStrictEqual(readdirSync(folder), ["fox.txt"])
    }))

  test("creates no file if the stream fails or is interrupted", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.txt`
      const half = yield* Deferred.make<void>()
      const slow = Stream.concat(
        Stream.make(bytes("a red ")),
        Stream.execute(Effect.zipRight(Deferred.succeed(half, undefined), Effect.never))
      )
      const fiber = yield* Effect.fork(File.toPath(path)(slow))
      yield* Deferred.await(half)
      const [temporary = "", ...others] = readdirSync(folder)
      assert.match(temporary, /^fox\.txt\.[0-9a-z]+\.part$/)
      assert.deepStrictEqual(others, [])
      assert.strictEqual(readFileSync(`${folder}/${temporary}`, "utf8"), "a red ")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(readdirSync(folder), [])

      const failing = Stream.concat(Stream.make(bytes("a red ")), Stream.fail("read error" as const))
      const error = failureOf(yield* Effect.exit(File.toPath(path)(failing)))
      assert.strictEqual(error, "read error")
      assert.deepStrictEqual(readdirSync(folder), [])
    }))

  test("does not mix the bytes of two concurrent downloads to the same path", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.bin`
      const bytesOf = (byte: number) =>
        Stream.rechunk(Stream.repeatValue(new Uint8Array(1000).fill(byte)).pipe(Stream.take(50)), 1)
      yield* Effect.all([File.toPath(path)(bytesOf(1)), File.toPath(path)(bytesOf(2))], { concurrency: 2 })
      const written = readFileSync(path)
      assert.strictEqual(written.length, 50_000)
      assert.strictEqual(new Set(written).size, 1)
      assert.deepStrictEqual(readdirSync(folder), ["fox.bin"])
    }))

  test("does not overwrite an existing temporary file", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.bin`
      const half = yield* Deferred.make<void>()
      const end = yield* Deferred.make<void>()
      const slow = Stream.concat(
        Stream.make(bytes("a red ")),
        Stream.fromEffect(
          Effect.zipRight(Deferred.succeed(half, undefined), Effect.as(Deferred.await(end), bytes("fox")))
        )
      )
      // The fixed `Random` creates the same temporary name for both downloads.
      const first = yield* Effect.fork(Effect.withRandom(File.toPath(path)(slow), Random.fixed([7])))
      yield* Deferred.await(half)
      const exit = yield* Effect.exit(Effect.withRandom(File.toPath(path)(Stream.empty), Random.fixed([7])))
      const error = failureOf(exit)
      assert.strictEqual(error._tag === "SystemError" && error.reason, "AlreadyExists")
      yield* Deferred.succeed(end, undefined)
      assert.deepStrictEqual(yield* Fiber.join(first), { path, size: 9 })
      assert.strictEqual(readFileSync(path, "utf8"), "a red fox")
    }))

  test("writes an empty file", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/empty`
      assert.deepStrictEqual(yield* File.toPath(path)(Stream.empty), { path, size: 0 })
      assert.deepStrictEqual(readdirSync(folder), ["empty"])
      assert.strictEqual(readFileSync(path, "utf8"), "")
    }))

  test("accepts the longest possible file name", (folder) =>
    Effect.gen(function* () {
      for (const name of ["x".repeat(255), "ä".repeat(127), `${"x".repeat(236)}.png`]) {
        const path = `${folder}/${name}`
        yield* File.toPath(path)(Stream.make(bytes("fox")))
        assert.strictEqual(readFileSync(path, "utf8"), "fox")
      }
      assert.lengthOf(readdirSync(folder), 3)
    }))

  test("replaces the target file of a symbolic link", (folder) =>
    Effect.gen(function* () {
      mkdirSync(`${folder}/data`)
      for (const [link, target] of [
        ["absolute", `${folder}/data/absolute.txt`],
        ["relative", "data/relative.txt"],
        ["missing", "data/missing.txt"],
        ["chain", "relative"]
      ] as const) {
        symlinkSync(target, `${folder}/${link}`)
      }
      writeFileSync(`${folder}/data/absolute.txt`, "older")
      writeFileSync(`${folder}/data/relative.txt`, "older")
      for (const link of ["absolute", "relative", "missing", "chain"]) {
        yield* File.toPath(`${folder}/${link}`)(Stream.make(bytes(link)))
        assert.isTrue(lstatSync(`${folder}/${link}`).isSymbolicLink())
      }
      assert.deepStrictEqual(
        ["absolute", "relative", "missing"].map((name) => readFileSync(`${folder}/data/${name}.txt`, "utf8")),
        ["absolute", "chain", "missing"]
      )
      assert.deepStrictEqual(readdirSync(`${folder}/data`), ["absolute.txt", "missing.txt", "relative.txt"])
    }))

  test("keeps the permissions of a replaced file", (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/fox.txt`
      for (const mode of [0o600, 0o644, 0o444, 0o755]) {
        writeFileSync(path, "older")
        chmodSync(path, mode)
        yield* File.toPath(path)(Stream.make(bytes("fox")))
        assert.strictEqual(statSync(path).mode & 0o7777, mode)
        rmSync(path)
      }
      yield* File.toPath(path)(Stream.make(bytes("fox")))
      writeFileSync(`${folder}/plain`, "")
      assert.strictEqual(statSync(path).mode, statSync(`${folder}/plain`).mode)
    }))

  test("writes to an existing device file", (folder) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${folder}/device`
      writeFileSync(path, "")
      const { ino } = statSync(path)
      const device: FileSystem.FileSystem = {
        ...fs,
        stat: (of) => Effect.map(fs.stat(of), (info) => ({ ...info, type: "CharacterDevice" }))
      }
      const written = File.toPath(path)(Stream.make(bytes("fox")))
      assert.deepStrictEqual(yield* Effect.provideService(written, FileSystem.FileSystem, device), { path, size: 3 })
      assert.deepStrictEqual([statSync(path).ino, readFileSync(path, "utf8")], [ino, "fox"])
    }))

  test("fails if the folder does not exist", (folder) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(File.toPath(`${folder}/none/fox.txt`)(Stream.make(bytes("fox"))))
      const error = failureOf(exit)
      assert.strictEqual(error._tag === "SystemError" && error.reason, "NotFound")
      assert.isTrue(Exit.isFailure(exit))
    }))

  test("writes, syncs and closes the temporary file before the rename", (folder) =>
    Effect.gen(function* () {
      const { fs, operations } = yield* recordingFileSystem
      const path = `${folder}/fox.txt`
      const written = File.toPath(path)(Stream.make(bytes("a red "), bytes("fox")))
      yield* Effect.provideService(written, FileSystem.FileSystem, fs)
      assert.strictEqual(readFileSync(path, "utf8"), "a red fox")
      assert.deepStrictEqual(operations, ["write", "write", "sync", "close", "rename"])
    }))
})
