/**
 * Measures the upload and the download of a file of 150 MiB. The server runs in another process and discards the bytes.
 */
import { type ChildProcess, execFile, fork } from "node:child_process"
import { once } from "node:events"
import { createReadStream } from "node:fs"
import { mkdtemp, open, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Layer, ManagedRuntime, Redacted, Stream } from "effect"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Undici from "undici"
import { type Figure, type Group, median } from "./figure.js"
import { alternate } from "./rounds.js"
import { fileBytes } from "./transferSize.js"

interface Cost {
  readonly wallMillis: number
  readonly cpuMillis: number
}

interface Contestant {
  readonly name: string
  readonly upload: () => Promise<Cost>
  readonly download: () => Promise<Cost>
}

/** A round takes several seconds. */
const maxRounds = 3

const directions = ["upload", "download"] as const

/** Measures a transfer in this process. Fails if the number of bytes is wrong. */
const measure = async (transfer: () => Promise<number>): Promise<Cost> => {
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const bytes = await transfer()
  const wallMillis = performance.now() - startedAt
  const { system, user } = process.cpuUsage(cpuBefore)
  if (bytes !== fileBytes) throw new Error(`${bytes} bytes instead of ${fileBytes}`)
  return { wallMillis, cpuMillis: (system + user) / 1000 }
}

const contestant = (
  name: string,
  transfers: { readonly [direction in (typeof directions)[number]]: () => Promise<number> }
): Contestant => ({
  name,
  upload: () => measure(transfers.upload),
  download: () => measure(transfers.download)
})

/**
 * Measures curl. `%{time_total}` excludes the start of the process. The shell reports the CPU time of its child in the
 * last line of `times`.
 */
const curl = (url: string, path: string): Contestant => {
  const run = async (...options: ReadonlyArray<string>): Promise<Cost> => {
    const format = "%{http_code} %{time_total}\\n"
    const script = `curl --silent --output /dev/null --write-out "${format}" "$@"; times`
    const { stdout } = await promisify(execFile)("sh", ["-c", script, "sh", ...options, url])
    const [result = "", , times = ""] = stdout.split("\n")
    const [status, seconds] = result.split(" ")
    if (status !== "200") throw new Error(`curl received the status ${status}`)
    const cpuMillis = [...times.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, minutes, rest]) => sum + (Number(minutes) * 60 + Number(rest)) * 1000,
      0
    )
    return { wallMillis: Number(seconds) * 1000, cpuMillis }
  }
  return { name: "curl", upload: () => run("--upload-file", path), download: () => run() }
}

const hasCurl = (): Promise<boolean> =>
  promisify(execFile)("curl", ["--version"]).then(
    () => true,
    () => false
  )

const plainFetch = (url: string, path: string): Contestant =>
  contestant("plain fetch", {
    upload: async () => {
      const file = await open(path)
      const body = new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          const { buffer, bytesRead } = await file.read({ buffer: new Uint8Array(64 * 1024) })
          if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead))
          else controller.close()
        }
      })
      const options = { method: "PUT", body, duplex: "half" }
      const response = await fetch(url, options).finally(() => file.close())
      return response.ok ? fileBytes : 0
    },
    download: async () => {
      const { body } = await fetch(url)
      let received = 0
      for await (const bytes of body ?? []) received += bytes.length
      return received
    }
  })

const plainUndici = (url: string, path: string): Contestant =>
  contestant("plain undici", {
    upload: async () => {
      const headers = { "content-length": String(fileBytes) }
      const response = await Undici.request(url, { method: "PUT", body: createReadStream(path), headers })
      await response.body.dump()
      return response.statusCode === 200 ? fileBytes : 0
    },
    download: async () => {
      const response = await Undici.request(url)
      let received = 0
      for await (const bytes of response.body) received += bytes.length
      return received
    }
  })

type Services = FileSystem.FileSystem | HttpClient.HttpClient | ModelRouteClient.ModelRouteClient

const countBytes = <E, R>(stream: Stream.Stream<Uint8Array, E, R>): Effect.Effect<number, E, R> =>
  Stream.runFold(stream, 0, (total, bytes) => total + bytes.length)

const makeRuntime = (
  transport: Layer.Layer<HttpClient.HttpClient>,
  origin: string
): ManagedRuntime.ManagedRuntime<Services, never> =>
  ModelRouteClient.layer({ apiKey: Redacted.make("sk_x"), baseUrl: origin }).pipe(
    Layer.provide(IdempotencyKey.layer),
    Layer.orDie,
    Layer.provideMerge(Layer.merge(transport, NodeFileSystem.layer)),
    ManagedRuntime.make
  )

/** Transfers the file with the HTTP client of Effect, without this package. */
const plainEffect = (
  name: string,
  runtime: ManagedRuntime.ManagedRuntime<Services, never>,
  url: string,
  path: string
): Contestant =>
  contestant(name, {
    upload: () =>
      HttpClientRequest.put(url).pipe(
        HttpClientRequest.bodyFile(path),
        Effect.flatMap(HttpClient.execute),
        Effect.flatMap(HttpClientResponse.filterStatusOk),
        Effect.flatMap(({ text }) => text),
        Effect.as(fileBytes),
        runtime.runPromise
      ),
    download: () => runtime.runPromise(countBytes(HttpClientResponse.stream(HttpClient.get(url))))
  })

const ours = (name: string, runtime: ManagedRuntime.ManagedRuntime<Services, never>, path: string): Contestant =>
  contestant(name, {
    upload: () =>
      Effect.gen(function* () {
        const { files } = yield* ModelRouteClient.ModelRouteClient
        yield* files.upload(yield* File.fromPath(path))
        return fileBytes
      }).pipe(runtime.runPromise),
    download: () =>
      Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ files }) =>
        countBytes(files.download(File.FileId.make("file_1")))
      ).pipe(runtime.runPromise)
  })

const startServer = async (): Promise<{ readonly child: ChildProcess; readonly origin: string }> => {
  const child = fork(fileURLToPath(new URL("transferServer.ts", import.meta.url)))
  const [port] = await once(child, "message")
  return { child, origin: `http://127.0.0.1:${port}` }
}

const figuresOf = async (contestants: ReadonlyArray<Contestant>, rounds: number): Promise<ReadonlyArray<Figure>> => {
  const runs = directions.flatMap((direction) =>
    contestants.map((each) => ({ name: `${direction} ${each.name}`, run: each[direction] }))
  )
  const costs = await alternate(runs, rounds)
  return directions.flatMap((direction) =>
    (["wallMillis", "cpuMillis"] as const).flatMap((part) =>
      contestants.map(({ name }) => ({
        row: `${direction} of 150 MiB: ${part === "wallMillis" ? "wall time" : "CPU of the client"}`,
        contestant: name,
        value: median((costs.get(`${direction} ${name}`) ?? []).map((cost) => cost[part])),
        unit: "ms" as const
      }))
    )
  )
}

export const transfer: Group = {
  name: "transfer",
  measure: async (rounds) => {
    const folder = await mkdtemp(join(tmpdir(), "transfer-"))
    const { child, origin } = await startServer()
    try {
      const path = join(folder, "file")
      await writeFile(path, Buffer.alloc(fileBytes, "effect-modelroute"))
      const storage = `${origin}/storage`
      const curls = (await hasCurl()) ? [curl(storage, path)] : []
      if (curls.length === 0) process.stdout.write("\ncurl is not installed. Its figures are missing.\n")
      const overUndici = makeRuntime(NodeHttpClient.layerUndici, origin)
      return await figuresOf(
        [
          ...curls,
          plainFetch(storage, path),
          plainUndici(storage, path),
          plainEffect("plain Effect over undici", overUndici, storage, path),
          ours("effect-modelroute over undici", overUndici, path),
          ours("effect-modelroute over fetch", makeRuntime(FetchHttpClient.layer, origin), path)
        ],
        Math.min(rounds, maxRounds)
      )
    } finally {
      child.disconnect()
      await rm(folder, { recursive: true })
    }
  },
  ratios: ["undici", "fetch"].flatMap((transport) =>
    ["curl", `plain ${transport}`, `plain Effect over ${transport}`].map((peer) => ({
      contestant: `effect-modelroute over ${transport}`,
      peer
    }))
  )
}
