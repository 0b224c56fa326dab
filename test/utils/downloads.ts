/** Provides a file to download and its download link. */
import { Chunk, Effect, Stream } from "effect"
import { File, type ModelRouteClient } from "effect-modelroute"
import { valueOf } from "./exit.js"
import { image, isoDate, runToEnd, start } from "./harness.js"

export const fileId = File.FileId.make("file_1")

export const storageUrl = "https://storage.example/files/file_1?X-Amz-Signature=canary0123456789"

/** Response body of a download link. */
export const linkJson = { url: storageUrl, expires_at: isoDate(start + 3_600_000) }

/** Response body of a download link with the type and the size of an image. */
export const imageLinkJson = { ...linkJson, content_type: "image/png", size_bytes: 5 }

/** Runs a download and returns its bytes as text. */
export const collectText = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)).toString())

/** Creates an image in the simulator and returns the id of its file. */
export const createImage = (client: ModelRouteClient.Service) =>
  Effect.gen(function* () {
    const { fileIds } = valueOf(yield* runToEnd(client.executions.run(image)))
    return fileIds[0] ?? File.FileId.make("file_none")
  })
