/** Tests the verification of deliveries and the decoding of events. */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Headers from "@effect/platform/Headers"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { Batch, Execution, File, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Webhook from "effect-modelroute/Webhook"
import { signedDelivery } from "./utils/apiSamples.js"
import { makeFakeClient } from "./utils/fake.js"
import { renderings } from "./utils/renderings.js"
import { seededRandom } from "./utils/seededRandom.js"
import { eventPayload, secret, secretText, signDelivery } from "./utils/webhooks.js"
import { numRuns } from "./utils/suite.js"

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const documented = { ...signedDelivery, secret: Redacted.make(signedDelivery.secret) }

const setTime = (seconds: number) => TestClock.setTime(seconds * 1000)

const verify = (delivery: Webhook.Delivery, options: Partial<Webhook.VerifyOptions> = {}) =>
  Webhook.verify(delivery, { secrets: secret, ...options })

/** Returns the reason of the rejection, or `undefined` if the delivery is accepted. */
const rejection = (delivery: Webhook.Delivery, options: Partial<Webhook.VerifyOptions> = {}) =>
  Effect.match(verify(delivery, options), {
    onSuccess: () => undefined,
    onFailure: (error) => (error._tag === "WebhookRejected" ? error.reason : error._tag)
  })

/** Signs a delivery with this JSON and returns its event. */
const eventOf = (json: unknown) => Effect.flatMap(signDelivery(JSON.stringify(json)), (delivery) => verify(delivery))

describe("webhook signature", () => {
  const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

  const now = 1_774_002_735

  /** Generates a body, a secret and a timestamp from a seed. `isEvent` is `false` if the body is not a valid event. */
  const generate = (seed: number) => {
    const next = seededRandom(seed)
    const below = (n: number) => Math.floor(next() * n)
    const text = (length: number) => Array.from({ length }, () => alphabet[below(alphabet.length)]).join("")
    const noise = (length: number) => Uint8Array.from({ length }, () => below(256))
    const kind = below(10)
    // Kinds 0 to 2 are not JSON. Kinds 3 and 4 contain invalid UTF-8 in a JSON string.
    const body =
      kind === 0
        ? new Uint8Array(0)
        : kind < 3
          ? Uint8Array.from([0x7b, ...noise(1 + below(60)), 0x00])
          : kind < 5
            ? Uint8Array.from([...encode('{"id":"evt_'), 0x80 + below(0x80), ...encode('"}')])
            : encode(JSON.stringify({ id: `evt_${text(8)}`, data: text(seed % 100 === 0 ? 300_000 : below(200)) }))
    return {
      body,
      isEvent: kind >= 3,
      secret: `whsec_${text(1 + below(60))}`,
      timestamp: String(now - 300 + below(601)),
      below
    }
  }

  const flipText = (text: string, bit: number): string => {
    const index = bit >> 3
    return `${text.slice(0, index)}${String.fromCharCode(text.charCodeAt(index) ^ (1 << (bit & 7)))}${text.slice(index + 1)}`
  }

  const flipByte = (body: Uint8Array, bit: number): Uint8Array => {
    const flipped = Uint8Array.from(body)
    const byte = flipped[bit >> 3] ?? 0
    flipped[bit >> 3] = byte ^ (1 << (bit & 7))
    return flipped
  }

  it.effect("does not match after a change to the body, timestamp, signature or secret", () =>
    Effect.gen(function* () {
      yield* setTime(now)
      const cases = numRuns(200, 5000)
      const counted = { accepted: 0, "signature-mismatch": 0, "timestamp-missing": 0 }
      for (let seed = 1; seed <= cases; seed++) {
        const { below, body, isEvent, secret: secretText, timestamp } = generate(seed)
        const secret = Redacted.make(secretText)
        const headers = yield* Webhook.sign({ body, secret, timestamp: Number(timestamp) })
        // `malformed` proves that the signature matches, because `verify` decodes the body after the signature check.
        const accepted = yield* rejection({ body, headers }, { secrets: secret })
        assert.strictEqual(accepted, isEvent ? undefined : "malformed", `valid ${seed}`)
        counted.accepted += 1

        const otherTime = flipText(timestamp, below(timestamp.length * 8))
        const otherSignature = flipText(headers["x-signature"], below(64 * 8))
        const changes = [
          { headers: { ...headers, "x-signature-timestamp": otherTime }, digits: /^\d+$/.test(otherTime) },
          { headers: { ...headers, "x-signature": otherSignature } },
          { body: body.length === 0 ? Uint8Array.of(0) : flipByte(body, below(body.length * 8)) },
          { secrets: Redacted.make(secretText.slice("whsec_".length)) }
        ]
        const { digits = true, secrets = secret, ...changed } = changes[seed % 4] ?? {}
        const reason = yield* rejection({ body, headers, ...changed }, { secrets, tolerance: Duration.infinity })
        assert.strictEqual(reason, digits ? "signature-mismatch" : "timestamp-missing", `changed ${seed}`)
        counted[digits ? "signature-mismatch" : "timestamp-missing"] += 1
      }
      assert.strictEqual(counted.accepted, cases)
      assert.strictEqual(counted["signature-mismatch"] + counted["timestamp-missing"], cases)
      assert.isAbove(counted["timestamp-missing"], cases / 10)
    })
  )

  it.effect("does not match after a change of any single bit of the delivery", () =>
    Effect.gen(function* () {
      const { secret: secrets, signature, timestamp } = documented
      const body = encode(documented.body)
      yield* setTime(timestamp)
      const headers = { "x-signature": signature, "x-signature-timestamp": String(timestamp) }
      let cases = 0
      const expectRejection = (delivery: Webhook.Delivery, reasons: ReadonlyArray<Webhook.RejectionReason>) =>
        Effect.map(rejection(delivery, { secrets }), (reason) => {
          assert.include(reasons, reason)
          cases += 1
        })
      for (let bit = 0; bit < body.length * 8; bit++) {
        yield* expectRejection({ body: flipByte(body, bit), headers }, ["signature-mismatch"])
      }
      for (let bit = 0; bit < 64 * 8; bit++) {
        const changed = { ...headers, "x-signature": flipText(signature, bit) }
        yield* expectRejection({ body, headers: changed }, ["signature-mismatch"])
      }
      for (let bit = 0; bit < 10 * 8; bit++) {
        const text = flipText(String(timestamp), bit)
        const reason = /^\d+$/.test(text) ? "signature-mismatch" : "timestamp-missing"
        yield* expectRejection({ body, headers: { ...headers, "x-signature-timestamp": text } }, [reason])
      }
      assert.strictEqual(cases, (body.length + 64 + 10) * 8)
    })
  )

  it.effect("is rejected unless it consists of 64 lowercase hex characters", () =>
    Effect.gen(function* () {
      const { body, secret: secrets, signature, timestamp } = documented
      yield* setTime(timestamp)
      for (const text of [
        signature.toUpperCase(),
        `sha256=${signature}`,
        `v1=${signature}`,
        `${signature}00`,
        signature.slice(0, 62),
        `${signature} `,
        `${signature}\n`,
        Buffer.from(signature, "hex").toString("base64")
      ]) {
        const headers = { "x-signature": text, "x-signature-timestamp": String(timestamp) }
        assert.strictEqual(yield* rejection({ body, headers }, { secrets }), "signature-mismatch", text)
      }
    })
  )

  it.effect("is calculated from the exact text of the timestamp header", () =>
    Effect.gen(function* () {
      yield* setTime(7)
      const headers = yield* Webhook.sign({ body: "{}", secret, timestamp: 7 })
      assert.isUndefined(yield* rejection({ body: "{}", headers }))
      const padded = { ...headers, "x-signature-timestamp": "07" }
      assert.strictEqual(yield* rejection({ body: "{}", headers: padded }), "signature-mismatch")
    })
  )
})

describe("Webhook.verify tolerance", () => {
  const verifyAt = (offset: number, options: Partial<Webhook.VerifyOptions> = {}) =>
    Effect.gen(function* () {
      const { body, secret: secrets, signature, timestamp } = documented
      yield* TestClock.setTime(timestamp * 1000 + offset)
      const headers = { "x-signature": signature, "x-signature-timestamp": String(timestamp) }
      return yield* rejection({ body, headers }, { secrets, ...options })
    })

  for (const direction of [1, -1]) {
    it.effect(`is 300 s by default for a delivery from the ${direction > 0 ? "past" : "future"}`, () =>
      Effect.gen(function* () {
        assert.isUndefined(yield* verifyAt(direction * 299_000))
        assert.isUndefined(yield* verifyAt(direction * 300_000))
        assert.strictEqual(yield* verifyAt(direction * 300_001), "stale")
        assert.strictEqual(yield* verifyAt(direction * 301_000), "stale")
      })
    )

    it.effect(`is configurable for a delivery from the ${direction > 0 ? "past" : "future"}`, () =>
      Effect.gen(function* () {
        assert.isUndefined(yield* verifyAt(direction * 10_000, { tolerance: "10 seconds" }))
        assert.strictEqual(yield* verifyAt(direction * 11_000, { tolerance: "10 seconds" }), "stale")
        assert.isUndefined(yield* verifyAt(direction * 1_800_000, { tolerance: "1 day" }))
        assert.isUndefined(yield* verifyAt(direction * 1e9, { tolerance: Duration.infinity }))
        assert.isUndefined(yield* verifyAt(0, { tolerance: 0 }))
        assert.strictEqual(yield* verifyAt(direction, { tolerance: 0 }), "stale")
      })
    )
  }

  it.effect("is in the error message of a stale delivery", () =>
    Effect.gen(function* () {
      const { body, secret: secrets, timestamp } = documented
      const headers = yield* Webhook.sign({ body, secret: secrets, timestamp })
      yield* setTime(timestamp + 1800)
      const late = yield* Effect.flip(Webhook.verify({ body, headers }, { secrets }))
      assert.include(late.message, "30 min 0 s before this machine's time. The tolerance is 5 min 0 s")
      assert.include(late.message, "increase tolerance")
      yield* setTime(timestamp - 1800)
      const early = yield* Effect.flip(Webhook.verify({ body, headers }, { secrets }))
      assert.include(early.message, "30 min 0 s after this machine's time")
    })
  )
})

describe("Webhook.sign and Webhook.verify", () => {
  const old = Redacted.make("whsec_old")
  const other = Redacted.make("whsec_other")

  it.effect("accept a delivery that is signed with any of the configured secrets", () =>
    Effect.gen(function* () {
      const delivery = yield* signDelivery("{}", other)
      for (const secrets of [[other], [other, old], [old, other], [old, secret, other], [other, other]] as const) {
        assert.isUndefined(yield* rejection(delivery, { secrets }))
      }
      assert.strictEqual(yield* rejection(delivery, { secrets: [old, secret] }), "signature-mismatch")
      const error = yield* Effect.flip(verify(delivery, { secrets: [old, secret] }))
      assert.include(error.message, "any of the 2 secrets")
    })
  )

  it.effect("support a rotation from the old secret to the new secret", () =>
    Effect.gen(function* () {
      const before = yield* signDelivery("{}", old)
      const after = yield* signDelivery("{}", other)
      for (const [secrets, reasons] of [
        [old, [undefined, "signature-mismatch"]],
        [
          [old, other],
          [undefined, undefined]
        ],
        [other, ["signature-mismatch", undefined]]
      ] as const) {
        assert.deepStrictEqual(
          [yield* rejection(before, { secrets }), yield* rejection(after, { secrets })],
          [...reasons]
        )
      }
    })
  )

  it.effect("reject an empty secret", () =>
    Effect.gen(function* () {
      // This signature is valid for an empty secret, so anyone can create it.
      const headers = { "x-signature": "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" }
      const delivery = { body: "{}", headers: { ...headers, "x-signature-timestamp": "0" } }
      const none: ReadonlyArray<Redacted.Redacted> = []
      for (const secrets of [Redacted.make(""), Redacted.make(" \t\n"), [secret, Redacted.make("")] as const]) {
        const error = yield* Effect.flip(verify(delivery, { secrets }))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "secrets")
        assert.match(error.message, /^Webhook\.verify: secrets is empty\. /)
      }
      // @ts-expect-error The types reject an empty list, but a JavaScript caller can pass an empty list.
      const error = yield* Effect.flip(verify(delivery, { secrets: none }))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "secrets")
      for (const text of ["", "  "]) {
        const error = yield* Effect.flip(Webhook.sign({ body: "", secret: Redacted.make(text) }))
        assert.strictEqual(error.field, "secret")
      }
    })
  )

  it.effect("reject a timestamp that is not in whole seconds", () =>
    Effect.gen(function* () {
      for (const timestamp of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        const error = yield* Effect.flip(Webhook.sign({ body: "", secret, timestamp }))
        assert.strictEqual(error.field, "timestamp")
      }
    })
  )
})

describe("webhook headers", () => {
  it.effect("are read in any letter case from a plain object, Effect headers or Fetch headers", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* signDelivery("{}")
      const { "x-signature": signature, "x-signature-timestamp": timestamp } = headers
      for (const given of [
        { "X-Signature": signature, "X-Signature-Timestamp": timestamp },
        { "X-SIGNATURE": signature, "x-Signature-timeStamp": timestamp, other: undefined, more: ["a", "b"] },
        { "x-signature": [signature], "x-signature-timestamp": [timestamp] },
        Headers.fromInput({ ...headers, "content-type": "application/json" }),
        Object.fromEntries(new globalThis.Headers(headers))
      ]) {
        assert.isUndefined(yield* rejection({ body, headers: given }))
      }
    })
  )

  it.effect("are rejected if the signature or the timestamp is missing", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* signDelivery("{}")
      const { "x-signature": signature, "x-signature-timestamp": timestamp } = headers
      const reason = (headers: Webhook.Delivery["headers"]) => rejection({ body, headers })
      for (const missing of [undefined, "", []]) {
        assert.strictEqual(yield* reason({ ...headers, "x-signature": missing }), "signature-missing")
        assert.strictEqual(yield* reason({ ...headers, "x-signature-timestamp": missing }), "timestamp-missing")
      }
      assert.strictEqual(yield* reason({}), "signature-missing")
      assert.strictEqual(yield* reason({ "x-signature": signature }), "timestamp-missing")
      assert.strictEqual(yield* reason({ "x-signature-timestamp": timestamp }), "signature-missing")
    })
  )

  it.effect("are rejected if a header occurs twice", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* signDelivery("{}")
      const { "x-signature": signature, "x-signature-timestamp": timestamp } = headers
      for (const twice of [[signature, signature], `${signature}, ${signature}`, `${signature},`]) {
        assert.strictEqual(
          yield* rejection({ body, headers: { ...headers, "x-signature": twice } }),
          "signature-mismatch"
        )
      }
      const inTwoCases = { ...headers, "X-Signature": signature }
      assert.strictEqual(yield* rejection({ body, headers: inTwoCases }), "signature-mismatch")
      for (const twice of [[timestamp, timestamp], `${timestamp}, ${timestamp}`]) {
        assert.strictEqual(
          yield* rejection({ body, headers: { ...headers, "x-signature-timestamp": twice } }),
          "timestamp-missing"
        )
      }
    })
  )

  it.effect("are rejected if the timestamp is not in whole seconds", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* signDelivery("{}")
      for (const text of ["1e3", "1.5", "-1", "+1", " 1", "2026-03-20T10:30:00Z", "0x10", "١", "9".repeat(16)]) {
        const given = { ...headers, "x-signature-timestamp": text }
        assert.strictEqual(yield* rejection({ body, headers: given }), "timestamp-missing", text)
      }
    })
  )
})

describe("Webhook.Event", () => {
  it.effect("contains all fields of a payload with type instead of event_type", () =>
    Effect.gen(function* () {
      const event = yield* eventOf({
        id: "evt_abc123",
        type: "execution.failed",
        timestamp: "2026-03-20T10:30:08Z",
        data: { id: "exec_9", status: "FAILED", error: { code: "GENERATION_FAILED", message: "no" } }
      })
      assert.strictEqual(event.type, "execution.failed")
      assert.strictEqual(event.executionId, "exec_9")
      assert.strictEqual(event.execution?.id, "exec_9")
      assert.strictEqual(event.execution?.status, "FAILED")
      assert.strictEqual(event.execution?.error?.code, "GENERATION_FAILED")
      assert.notProperty(event, "version")
      assert.notProperty(event, "organizationId")
    })
  )

  it.effect("contains the execution id from any documented field", () =>
    Effect.gen(function* () {
      const found = (json: unknown) =>
        Effect.map(eventOf(json), ({ execution, executionId }): ReadonlyArray<string | undefined> => [
          executionId,
          execution?.id
        ])
      const data = { id: "exec_b", execution_id: "exec_c", status: "PROCESSING" }
      assert.deepStrictEqual(yield* found({ execution_id: "exec_a", data }), ["exec_a", "exec_a"])
      assert.deepStrictEqual(yield* found({ data }), ["exec_b", "exec_b"])
      assert.deepStrictEqual(yield* found({ data: { ...data, id: null } }), ["exec_c", "exec_c"])
      assert.deepStrictEqual(yield* found({ execution_id: "exec_a", data: {} }), ["exec_a", "exec_a"])
      assert.deepStrictEqual(yield* found({ execution_id: "exec_a" }), ["exec_a", undefined])
      assert.deepStrictEqual(yield* found({ data: { status: "COMPLETED" } }), [undefined, undefined])
    })
  )

  it.effect("reads its type from event_type, or from type if event_type is absent", () =>
    Effect.gen(function* () {
      const type = (json: object) => Effect.map(eventOf({ id: "evt_1", ...json }), (event) => event.type)
      assert.strictEqual(yield* type({ event_type: "a", type: "b" }), "a")
      assert.strictEqual(yield* type({ event_type: null, type: "b" }), "b")
      assert.strictEqual(yield* type({ type: "webhook.test" }), "webhook.test")
      assert.strictEqual(yield* type({}), "unknown")
      assert.strictEqual(yield* type({ type: 7 }), "unknown")
    })
  )

  it.effect("omits invalid fields", () =>
    Effect.gen(function* () {
      const event = yield* eventOf({
        id: "evt_1",
        type: "execution.expired",
        timestamp: "soon",
        version: 2,
        organization_id: null,
        execution_id: ["x"],
        attempt: 3,
        data: { id: "exec_1", status: "expired", cost: {}, latency_ms: "long", phase: "new" }
      })
      assert.deepStrictEqual(event.extra, { attempt: 3 })
      for (const absent of ["timestamp", "version", "organizationId"]) assert.notProperty(event, absent)
      assert.strictEqual(event.execution?.status, "EXPIRED")
      assert.isTrue(event.execution !== undefined && Execution.isTerminal(event.execution))
      assert.deepStrictEqual(event.execution?.extra, { phase: "new", cost: {} })
      assert.strictEqual((yield* eventOf({ data: { id: "e", status: "PAUSED" } })).execution?.status, "PAUSED")
    })
  )

  it.effect("accepts any JSON value as data", () =>
    Effect.gen(function* () {
      for (const data of ["text", 7, true, ["a"], [], {}]) {
        const event = yield* eventOf({ id: "evt_1", data })
        assert.deepStrictEqual(event.data, data)
        assert.isUndefined(event.execution)
      }
      assert.notProperty(yield* eventOf({ id: "evt_1", data: null }), "data")
      assert.notProperty(yield* eventOf({ id: "evt_1" }), "data")
    })
  )

  it.effect("uses the hash of the body as the id if the payload has no id", () =>
    Effect.gen(function* () {
      for (const id of [undefined, null, "", 7]) {
        const event = yield* eventOf({ id, type: "execution.started" })
        assert.match(event.id, /^sha256_[0-9a-f]{64}$/)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* eventOf({ id, type: "execution.started" })).id, event.id)
        assert.notStrictEqual((yield* eventOf({ id, type: "execution.failed" })).id, event.id)
      }
    })
  )

  it.effect("is rejected as malformed if the body is not a JSON object", () =>
    Effect.gen(function* () {
      for (const body of ["", " ", "[]", "null", '"evt_1"', "1", "{", '{"id":"evt_1"}x', "[{}]", "\u0000"]) {
        assert.strictEqual(yield* rejection(yield* signDelivery(body)), "malformed", JSON.stringify(body))
      }
      assert.isUndefined(yield* rejection(yield* signDelivery("{}")))
      assert.isUndefined(yield* rejection(yield* signDelivery('\ufeff {"id":"evt_1"}\n')))
      const deep = `{"data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
      assert.isUndefined(yield* rejection(yield* signDelivery(deep)))
      // `verify` checks the signature before it decodes the body.
      const unsigned = { body: "[]", headers: (yield* signDelivery("{}")).headers }
      assert.strictEqual(yield* rejection(unsigned), "signature-mismatch")
    })
  )

  it.effect("does not change Object.prototype if the body contains __proto__", () =>
    Effect.gen(function* () {
      const body = '{"id":"evt_1","__proto__":{"type":"x"},"constructor":1,"data":{"__proto__":{"status":"FAILED"}}}'
      const event = yield* verify(yield* signDelivery(body))
      assert.strictEqual(event.type, "unknown")
      assert.notProperty({}, "type")
      assert.deepStrictEqual(Object.entries(event.extra), [["constructor", 1]])
      assert.strictEqual(Object.getPrototypeOf(event.extra), Object.prototype)
    })
  )

  it.effect("is unchanged after encoding to JSON and decoding", () =>
    Effect.gen(function* () {
      const event = yield* verify(yield* signDelivery(eventPayload("1", { metadata: { a: 1 }, phase: "new" })))
      const text = JSON.stringify(yield* Schema.encode(Webhook.Event)(event))
      const again = yield* Schema.decode(Schema.parseJson(Webhook.Event))(text)
      assert.deepStrictEqual(again, event)
    })
  )
})

describe("Webhook", () => {
  for (const [field, options] of [
    ["tolerance", '{"tolerance":"5min"}'],
    ["tolerance", '{"tolerance":-1}'],
    ["secrets", '{"secrets":"whsec_abc"}'],
    ["secrets", '{"secrets":["whsec_abc"]}']
  ] as const) {
    it.effect(`fails with an error that contains the name of the invalid option: ${options}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(verify(yield* signDelivery("{}"), JSON.parse(options)))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, field)
        assert.notInclude(error.message, "whsec_abc")
      })
    )
  }

  it.effect("fails with an error that contains the name of the field if the body was parsed", () =>
    Effect.gen(function* () {
      const { headers } = yield* signDelivery('{"id":"evt_1"}')
      for (const body of ['{"id":"evt_1"}', "[1]", "null"]) {
        const error = yield* Effect.flip(verify({ body: JSON.parse(body), headers }))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "body")
        assert.match(error.message, /^Webhook\.verify: body is neither bytes nor text\. /)
      }
    })
  )

  for (const [name, make] of [
    ["Webhook.Dedup: ttl", () => Webhook.layerDedup({ ttl: -1 })],
    ["Webhook.Dedup: ttl", () => Webhook.layerDedup(JSON.parse('{"ttl":"1day"}'))],
    ["Webhook.handler: onEvent", () => Webhook.handler({ secrets: secret, onEvent: JSON.parse('"log"') })],
    [
      "Webhook.handler: maxBodySize",
      () => Webhook.handler({ secrets: secret, onEvent: () => Effect.void, maxBodySize: 0 })
    ]
  ] as const) {
    it(`throws an error that contains the name of the invalid option: ${name}`, () => {
      assert.throws(make, `${name} is `)
    })
  }
})

describe("deeply nested execution output", () => {
  const depth = 6000
  const json = `{"id":"evt_1","event_type":"execution.completed","data":{"id":"exec_1","status":"COMPLETED","output":${"[".repeat(depth)}"file_1"${"]".repeat(depth)}}}`

  it.effect("is decoded from a webhook", () => {
    const { client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      const event = yield* Effect.flatMap(signDelivery(json), (delivery) => verify(delivery))
      const made = yield* client
      const notify = Effect.provideService(Webhook.notifyClient(event), ModelRouteClient.ModelRouteClient, made)
      // The first notification precedes the first wait. The second notification arrives during the second wait.
      yield* notify
      const id = Execution.ExecutionId.make("exec_1")
      assert.deepStrictEqual((yield* made.executions.await(id)).fileIds, [File.FileId.make("file_1")])
      const waiting = yield* Effect.fork(made.executions.await(id))
      yield* TestClock.adjust("1 second")
      yield* notify
      assert.deepStrictEqual((yield* Fiber.join(waiting)).fileIds, [File.FileId.make("file_1")])
    })
  })

  it.effect("is read from the batch journal by the next run", () =>
    Effect.gen(function* () {
      const output = `"output":${"[".repeat(depth)}"file_1"${"]".repeat(depth)}`
      const { client } = makeFakeClient(() => ({
        status: 200,
        text: `{"id":"exec_1","status":"COMPLETED","cost":"0.04",${output}}`
      }))
      const batch = Batch.run([1], {
        id: "deep",
        key: String,
        request: () => ({ model: "m", input: {} })
      })
      const outcomes = Effect.map(Stream.runCollect(batch), (found) =>
        Array.from(found, (outcome) =>
          outcome._tag === "Succeeded" ? outcome.completed.fileIds : assert.fail(outcome._tag)
        )
      )
      const program = Effect.all([outcomes, outcomes]).pipe(
        Effect.provide([
          Layer.effect(ModelRouteClient.ModelRouteClient, client),
          Layer.provide(Batch.layerJournal(), KeyValueStore.layerMemory)
        ])
      )
      const ids = [[File.FileId.make("file_1")]]
      assert.deepStrictEqual(yield* program, [ids, ids])
    })
  )
})

describe("WebhookRejected", () => {
  it.effect("contains no secret, signature or body", () =>
    Effect.gen(function* () {
      const canary = "canary-body-text"
      yield* setTime(1000)
      const genuine = yield* signDelivery(JSON.stringify({ id: canary }))
      const { "x-signature": signature } = genuine.headers
      const array = yield* signDelivery(JSON.stringify([canary]))
      const otherSignature = array.headers["x-signature"]
      const deliveries: ReadonlyArray<readonly [Webhook.Delivery, Partial<Webhook.VerifyOptions>]> = [
        [{ ...genuine, headers: {} }, {}],
        [{ ...genuine, headers: { "x-signature": signature, "x-signature-timestamp": canary } }, {}],
        [{ ...genuine, headers: { ...genuine.headers, "x-signature": canary } }, {}],
        [{ ...genuine, body: canary }, {}],
        [array, {}],
        [genuine, { secrets: Redacted.make("   ") }]
      ]
      const errors = [yield* Effect.flip(Effect.zipRight(setTime(2000), verify(genuine)))]
      yield* setTime(1000)
      for (const [delivery, options] of deliveries) errors.push(yield* Effect.flip(verify(delivery, options)))
      const reasons = new Set(errors.map((error) => (error._tag === "WebhookRejected" ? error.reason : error._tag)))
      assert.deepStrictEqual([...reasons].sort(), [
        "InvalidRequest",
        "malformed",
        "signature-mismatch",
        "signature-missing",
        "stale",
        "timestamp-missing"
      ])
      for (const error of errors) {
        for (const text of renderings(error)) {
          for (const private_ of [secretText, secretText.slice(6), signature, otherSignature, canary]) {
            assert.notInclude(text, private_, error._tag)
          }
        }
        assert.isTrue(renderings(error).some((text) => text.includes(error.message)))
      }
    })
  )

  it.effect("keeps its class after encoding and decoding", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(verify({ body: "", headers: {} }))
      if (error._tag !== "WebhookRejected") return assert.fail(error._tag)
      const again = yield* Schema.decode(Webhook.WebhookRejected)(yield* Schema.encode(Webhook.WebhookRejected)(error))
      assert.instanceOf(again, Webhook.WebhookRejected)
      assert.strictEqual(again.reason, "signature-missing")
      assert.strictEqual(again.message, error.message)
    })
  )
})

it("Webhook.verify declares the types of its result and errors", () => {
  expectTypeOf(Webhook.verify).returns.toEqualTypeOf<
    Effect.Effect<Webhook.Event, Webhook.WebhookRejected | ModelRouteError.InvalidRequest>
  >()
  expectTypeOf<"execution.started">().toMatchTypeOf<Webhook.EventType>()
  expectTypeOf<Webhook.Event["execution"]>().toEqualTypeOf<Execution.Execution | undefined>()
  expectTypeOf<string>().not.toMatchTypeOf<Webhook.EventId>()
  // @ts-expect-error A secret must be Redacted.
  void Webhook.verify({ body: "", headers: {} }, { secrets: "whsec_bare" })
  assert.isTrue(Option.isNone(Schema.decodeUnknownOption(Webhook.EventId)("")))
})
