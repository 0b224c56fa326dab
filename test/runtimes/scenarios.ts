/** The scenarios that run unchanged in each runtime. Uses only web standards, Effect and the package. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApp from "@effect/platform/HttpApp"
import { Cause, Chunk, Deferred, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Batch, File, IdempotencyKey, ModelRouteClient, RetryPolicy, Webhook } from "effect-modelroute"

/** Settings of the drivers. */
export interface Settings {
  /** URL of `server.ts`. */
  readonly server: string
  /** Port without a server. */
  readonly closedPort: number
  /** Expected reason of a refused connection. */
  readonly refused: string
  /** Expected reason of a connection that the server resets. */
  readonly reset: string
}

/** Result of a scenario. `problem` is `undefined` after a success. */
export interface Result {
  readonly scenario: string
  readonly problem?: string | undefined
}

const MiB = 1024 * 1024
const image = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } } as const
const fast = RetryPolicy.make({ backoff: { base: "10 millis" } })

class Unexpected extends Error {}

const expect = (name: string, actual: unknown, expected: unknown): Effect.Effect<void> =>
  actual === expected
    ? Effect.void
    : Effect.die(new Unexpected(`${name} is ${String(actual)} instead of ${String(expected)}`))

const fetchJson = (url: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return response.json()
  })

const startSimulator = ({ server }: Settings, options: { readonly fault?: string; readonly limit?: number } = {}) =>
  Effect.map(fetchJson(`${server}/simulators`, { method: "POST", body: JSON.stringify(options) }), ({ url }): string =>
    String(url)
  )

const makeClient = (baseUrl: string, options: Partial<ModelRouteClient.Options> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make("sk_test"), baseUrl, retry: fast, ...options }).pipe(
    Effect.provide(Layer.merge(FetchHttpClient.layer, IdempotencyKey.layer))
  )

const startClient = (settings: Settings, options: { readonly fault?: string; readonly limit?: number } = {}) =>
  Effect.flatMap(startSimulator(settings, options), (url) => Effect.map(makeClient(url), (client) => ({ client, url })))

const run = (settings: Settings) =>
  Effect.gen(function* () {
    const { client } = yield* startClient(settings)
    const { cost, fileIds } = yield* client.executions.run(image)
    yield* expect("cost", cost, "0.040")
    yield* expect("number of files", fileIds.length, 1)
  })

const errors = (settings: Settings) =>
  Effect.gen(function* () {
    const { client } = yield* startClient(settings, { fault: "moderation" })
    const caught = yield* client.executions
      .create(image)
      .pipe(Effect.catchTag("ContentModerationRejected", ({ status }) => Effect.succeed(status)))
    yield* expect("status", caught, 400)
  })

const retry = (settings: Settings) =>
  Effect.gen(function* () {
    const { client, url } = yield* startClient(settings, { fault: "dropAfter" })
    yield* client.executions.run(image)
    const { executions, keys } = yield* fetchJson(`${settings.server}/ledger?url=${encodeURIComponent(url)}`)
    yield* expect("number of executions", executions, 1)
    yield* expect("number of keys", keys, 1)
  })

const webhook = () =>
  Effect.gen(function* () {
    const secret = Redacted.make("whsec_0123456789abcdef")
    const id = "evt_1"
    const body = JSON.stringify({ id, type: "execution.completed", execution_id: "exec_1", data: { id: "exec_1" } })
    const events: Array<string> = []
    const handler = Webhook.handler({
      secrets: secret,
      onEvent: (event) => Effect.sync(() => void events.push(event.id))
    })
    const handle = HttpApp.toWebHandler(handler)
    const headers = { ...(yield* Webhook.sign({ body, secret })) }
    const post = (init: RequestInit) =>
      Effect.promise(() => handle(new Request("http://receiver.test/", { method: "POST", ...init })))
    const accepted = yield* post({ headers, body })
    yield* expect("a signed event is accepted, which", accepted.ok, true)
    yield* expect("status of a changed event", (yield* post({ headers, body: `${body} ` })).status, 401)
    yield* expect("number of events", events.join(), id)
  })

const batch = (settings: Settings) =>
  Effect.gen(function* () {
    const { client, url } = yield* startClient(settings)
    const outcomes = yield* Stream.runCollect(
      Batch.run(["fox", "hare", "owl"], {
        id: "animals",
        key: (animal) => animal,
        request: (animal) => ({ model: "flux-1.1-pro", input: { prompt: animal } })
      })
    ).pipe(Effect.provideService(ModelRouteClient.ModelRouteClient, client), Effect.provide(Batch.layerJournalMemory))
    const tags = Chunk.toReadonlyArray(outcomes).map(({ _tag }) => _tag)
    yield* expect("outcomes", tags.join(), "Succeeded,Succeeded,Succeeded")
    const { executions } = yield* fetchJson(`${settings.server}/ledger?url=${encodeURIComponent(url)}`)
    yield* expect("number of executions", executions, 3)
  })

const bytes = (size: number): Uint8Array => {
  const words = new Uint32Array(size / 4)
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 2_654_435_761)
  return new Uint8Array(words.buffer)
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

const transfer = (settings: Settings, toSource: (content: Uint8Array) => File.Source) =>
  Effect.gen(function* () {
    const { client } = yield* startClient(settings)
    const content = bytes(20 * MiB)
    const id = yield* client.files.upload(toSource(content))
    const received = new Uint8Array(content.length)
    const size = yield* Stream.runFold(client.files.download(id), 0, (offset, chunk) => {
      received.set(chunk, offset)
      return offset + chunk.length
    })
    yield* expect("number of bytes", size, content.length)
    yield* expect("the content is equal, which", isEqual(received, content), true)
    const empty = yield* client.files.upload(File.fromBytes(new Uint8Array(0)))
    yield* expect("size of an empty file", yield* Stream.runCount(client.files.download(empty)), 0)
  })

const interruption = (settings: Settings) =>
  Effect.gen(function* () {
    const { client } = yield* startClient(settings)
    const { id } = yield* client.executions.create(image)
    const wait = yield* Effect.fork(client.executions.await(id))
    yield* Effect.sleep("10 millis")
    yield* Fiber.interrupt(wait)
    const started = yield* Deferred.make<void>()
    const stopped = yield* Deferred.make<void>()
    const endless = Stream.repeatValue(new Uint8Array(65_536)).pipe(
      Stream.tap(() => Effect.zipRight(Deferred.succeed(started, undefined), Effect.sleep("1 millis"))),
      Stream.ensuring(Deferred.succeed(stopped, undefined))
    )
    const upload = yield* Effect.fork(client.files.upload(File.fromStream(endless, { size: 100 * MiB })))
    yield* Deferred.await(started)
    yield* Fiber.interrupt(upload)
    yield* Deferred.await(stopped)
  })

const reasonOf = (baseUrl: string, attemptTimeout: "200 millis" | "30 seconds") =>
  Effect.gen(function* () {
    const { executions } = yield* makeClient(baseUrl, { retry: RetryPolicy.none, attemptTimeout })
    const error = yield* Effect.flip(executions.create(image))
    return error._tag === "TransportError" ? error.reason : error._tag
  })

const timeout = ({ server }: Settings) =>
  Effect.flatMap(reasonOf(`${server}/hang`, "200 millis"), (reason) => expect("reason", reason, "timeout"))

const overlap = (settings: Settings) =>
  Effect.gen(function* () {
    const { client } = yield* startClient(settings, { limit: 10 })
    const runs = Effect.replicate(client.executions.run(image, { pollImmediately: true }), 12)
    const ends = yield* Effect.all(runs, { concurrency: "unbounded" })
    yield* expect("number of executions", new Set(ends.map(({ id }) => id)).size, 12)
  })

const reasons = ({ closedPort, refused, reset, server }: Settings) =>
  Effect.gen(function* () {
    const reason = (url: string) => reasonOf(url, "30 seconds")
    yield* expect("reason of a refusal", yield* reason(`http://127.0.0.1:${closedPort}`), refused)
    yield* expect("reason of a reset", yield* reason(`${server}/reset`), reset)
    yield* expect("reason of a short body", yield* reason(`${server}/truncated`), "truncated")
  })

const scenarios: ReadonlyArray<readonly [string, (settings: Settings) => Effect.Effect<void, unknown>]> = [
  ["create and await an execution", run],
  ["catch an error by its tag", errors],
  ["retry after a dropped response", retry],
  ["verify a webhook event", webhook],
  ["run a batch", batch],
  ["upload 20 MB of bytes", (settings) => transfer(settings, (content) => File.fromBytes(content))],
  [
    "upload 20 MB of a stream",
    (settings) =>
      transfer(settings, (content) => File.fromStream(File.fromBytes(content).stream, { size: content.length }))
  ],
  ["interrupt a wait and an upload", interruption],
  ["end an attempt at its timeout", timeout],
  ["share a client", overlap],
  ["report transport errors", reasons]
]

const maxMillis = 60_000

/** Runs all scenarios. Never rejects. */
export const runAll = (settings: Settings): Promise<ReadonlyArray<Result>> =>
  Effect.runPromise(
    Effect.forEach(scenarios, ([scenario, use]) =>
      use(settings).pipe(
        Effect.timeout(maxMillis),
        Effect.matchCause({
          onSuccess: (): Result => ({ scenario }),
          onFailure: (cause): Result => ({ scenario, problem: Cause.pretty(cause) })
        })
      )
    )
  )
