/** Tests the redaction of free text at a bounded cost. Codes, field names and public texts remain readable. */
import * as classify from "../../src/internal/errors/classify.js"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Exit, Layer, Redacted, Stream } from "effect"
import { ApiKey, File, IdempotencyKey, ModelRouteClient, type ModelRouteError, RetryPolicy } from "effect-modelroute"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { renderings } from "../utils/renderings.js"
import { responseData } from "../utils/responses.js"
import { apiKey, image, prompt, runToEnd } from "../utils/harness.js"
import { privateTextsOf } from "../../src/internal/errors/confidential.js"

type Client = ModelRouteClient.Service

const noRetry = { retry: RetryPolicy.none }

/** Calls `use` with a client that receives `reply` for every request. Returns the error. */
const failing = <A>(
  reply: FakeResponse,
  use: (client: Client) => Effect.Effect<A, ModelRouteError.ModelRouteError>,
  options: Partial<ModelRouteClient.Options> = {}
): Effect.Effect<ModelRouteError.ModelRouteError> => {
  const { client } = makeFakeClient(() => reply, { ...noRetry, ...options })
  return Effect.map(Effect.exit(Effect.flatMap(client, use)), (exit: Exit.Exit<A, ModelRouteError.ModelRouteError>) =>
    failureOf(exit)
  )
}

const rejection = (error: Record<string, unknown>): FakeResponse => ({ status: 400, json: { error } })

const create = (input: object) => (client: Client) => client.executions.create({ model: "flux-1.1-pro", input })

const apiMessageOf = (error: ModelRouteError.ModelRouteError): string | undefined =>
  "apiMessage" in error ? error.apiMessage : undefined

const assertHidden = (error: ModelRouteError.ModelRouteError, ...secrets: ReadonlyArray<string>): void => {
  for (const text of renderings(error)) for (const secret of secrets) assert.notInclude(text, secret)
}

describe("files.upload and files.download", () => {
  const json = (value: unknown): FakeResponse => ({ status: 200, json: value })
  const xml = (status: number): FakeResponse => ({ status, text: "<Error><Code>AccessDenied</Code></Error>" })

  it.effect("fail with the error of storage if the presigned URL has an empty query value", () => {
    const url = "https://storage.example/put?X-Amz-Signature=a&x-id="
    const { client } = makeFakeClient(
      (asked) => (asked.startsWith("https://storage") ? xml(403) : json({ file_id: "file_1", upload_url: url })),
      noRetry
    )
    return Effect.gen(function* () {
      const { files } = yield* client
      const error = yield* Effect.flip(files.upload(File.fromBytes(new Uint8Array(3))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.body, "<Error><Code>AccessDenied</Code></Error>")
    })
  })

  it.effect("fail with the error of storage if a query parameter of the presigned URL has no value", () => {
    const { client } = makeFakeClient(
      (asked) =>
        asked.startsWith("https://storage")
          ? xml(404)
          : { status: 302, headers: { location: "https://storage.example/get?acl" } },
      noRetry
    )
    return Effect.gen(function* () {
      const { files } = yield* client
      const error = failureOf(yield* Effect.exit(Stream.runDrain(files.download(File.FileId.make("file_1")))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 404)
    })
  })

  it.effect("redact the presigned URL in the error message of the HTTP client", () => {
    const url = "https://storage.example/put?X-Amz-Signature=canarysignature"
    const words = "no: https://canaryuser:canarypass@storage.example/put?X-Amz-Signature=canarysignature"
    const http = HttpClient.make((request, asked) =>
      asked.hostname === "storage.example"
        ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: new TypeError(words) }))
        : Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({ file_id: "file_1", upload_url: url })))
    )
    return Effect.gen(function* () {
      const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make("sk_1"), ...noRetry })
      const error = yield* Effect.flip(files.upload(File.fromBytes(new Uint8Array(3))))
      assert.strictEqual(
        error._tag === "TransportError" && error.detail,
        "no: https://[redacted]@storage.example/put?[redacted]"
      )
      assertHidden(error, "canary")
    }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)))
  })
})

describe("presigned URL in a storage error", () => {
  for (const [what, query, quoted] of [
    ["a value with plus signs", "sig=abcdef+ghijkl+mnopqr", "abcdef+ghijkl+mnopqr"],
    ["a decoded value with plus signs and escapes", "sig=abc%2Fdef+ghi%3Djkl", "abc/def+ghi=jkl"],
    ["a value with plus signs as spaces", "sig=abcdef+ghijkl+mnopqr", "abcdef ghijkl mnopqr"],
    ["a value with escapes", "sig=abcdefg%2Fhijklmn%2Bopq", "abcdefg%2Fhijklmn%2Bopq"],
    ["a decoded value with escapes", "sig=abcdefg%2Fhijklmn%2Bopq", "abcdefg/hijklmn+opq"],
    ["a value with escapes that are not UTF-8", "sig=%E9%E8%E7abcdefgh%E9", "%E9%E8%E7abcdefgh%E9"],
    ["a short value with escapes that are not UTF-8", "sig=%E9abcd", "%E9abcd"],
    ["a parameter without a value", "abcdefghijklmnopqrstu", "abcdefghijklmnopqrstu"],
    ["the name of a parameter", "abcdefghijklmnopqrstu=1", "abcdefghijklmnopqrstu"],
    ["a value after a semicolon", "a=1;sig=abcdefg", "abcdefg"],
    ["a fragment", "x=1#abcdefghijklmnopqrstu", "abcdefghijklmnopqrstu"],
    ["a parameter in a fragment", "x=1#token=abcdefg", "abcdefg"]
  ] as const) {
    it.effect(`is redacted if the error quotes ${what}`, () => {
      const url = `https://storage.example/file?${query}`
      const { client } = makeFakeClient(
        (requested) =>
          requested.startsWith("https://api")
            ? { status: 200, json: { file_id: "file_1", upload_url: url, url } }
            : { status: 403, text: `<Error><Provided>${quoted}</Provided></Error>` },
        noRetry
      )
      return Effect.gen(function* () {
        const { files } = yield* client
        const upload = yield* Effect.exit(files.upload(File.fromBytes(new Uint8Array(3))))
        const download = yield* Effect.exit(Stream.runDrain(files.download(File.FileId.make("file_1"))))
        for (const error of [failureOf(upload), failureOf(download)]) {
          assert.strictEqual(
            error._tag === "UnexpectedResponse" && error.body,
            "<Error><Provided>[redacted]</Provided></Error>"
          )
        }
      })
    })
  }

  it.effect("is redacted except for the names of documented parameters", () => {
    const url =
      "https://storage.example/file?X-Amz-Credential=canary0123&response-content-disposition=inline&versionId=1"
    const text = "X-Amz-Credential, response-content-disposition and versionId are invalid"
    const { client } = makeFakeClient(
      (requested) => (requested.startsWith("https://api") ? { status: 200, json: { url } } : { status: 403, text }),
      noRetry
    )
    return Effect.gen(function* () {
      const { files } = yield* client
      const error = failureOf(yield* Effect.exit(Stream.runDrain(files.download(File.FileId.make("file_1")))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.body, text)
    })
  })
})

describe("presigned URL with invalid percent-encoding", () => {
  const id = File.FileId.make("file_1")
  for (const url of [
    "https://%zz@storage.example/file?sig=canarysignature",
    "https://canaryuser%zz:%e9@storage.example/file",
    "https://storage.example/%zz?%zz=%"
  ]) {
    it.effect(`causes UnexpectedResponse instead of a defect if storage rejects the request: ${url}`, () => {
      const { client } = makeFakeClient(
        (asked) =>
          asked.startsWith("https://api")
            ? { status: 200, json: { file_id: "file_1", upload_url: url, url } }
            : { status: 403, text: "canaryuser%zz may not do this" },
        noRetry
      )
      return Effect.gen(function* () {
        const { files } = yield* client
        const upload = yield* Effect.exit(files.upload(File.fromBytes(new Uint8Array(3))))
        const download = yield* Effect.exit(Stream.runDrain(files.download(id)))
        for (const error of [failureOf(upload), failureOf(download)]) {
          assert.strictEqual(error._tag, "UnexpectedResponse")
          if (url.includes("canaryuser")) assertHidden(error, "canaryuser")
        }
      })
    })
  }
})

describe("error codes and field names in an API error", () => {
  it.effect("remain readable if the request contains the same words", () =>
    Effect.gen(function* () {
      const details = [{ field: "input.width", code: "OUT_OF_RANGE", message: "width must be at least 256" }]
      const error = yield* failing(
        rejection({ code: "INPUT_VALIDATION_ERROR", message: "no width", details }),
        create({ prompt: "width", style: "OUT_OF_RANGE", path: "input.width", width: 9 })
      )
      if (error._tag !== "InputValidationError") return assert.fail(error._tag)
      assert.deepStrictEqual(error.details, [
        { field: "input.width", code: "OUT_OF_RANGE", message: "[redacted] must be at least 256" }
      ])
      assert.strictEqual(error.apiMessage, "no [redacted]")
      assert.include(error.message, "input.width: [redacted] must be at least 256 (OUT_OF_RANGE).")
    })
  )

  it.effect("remain readable if the error code is undocumented", () =>
    Effect.gen(function* () {
      const error = yield* failing(
        rejection({ code: "NEW_FAILURE", message: "NEW_FAILURE", request_id: "req_from_prompt" }),
        create({ prompt: "NEW_FAILURE req_from_prompt" })
      )
      assert.strictEqual("code" in error && error.code, "NEW_FAILURE")
      assert.strictEqual("requestId" in error && error.requestId, "req_from_prompt")
    })
  )

  it.effect("are redacted if they contain the API key or the prompt", () =>
    Effect.gen(function* () {
      const key = "mr_key_canary0123"
      const prompt = "a lighthouse in a storm"
      const error = yield* failing(
        rejection({ code: key, message: "no", details: [{ field: `input.${prompt}`, code: key, message: "" }] }),
        create({ prompt }),
        { apiKey: Redacted.make(key) }
      )
      assertHidden(error, key, prompt)
    })
  )
})

describe("secrets in the error of a client method", () => {
  for (const key of ["mr_key_0123456789abcdef", "sk-proj-0123456789abcdef", "0123456789abcdefghij", "mr_key"]) {
    it.effect(`are redacted if the response quotes an API key that starts with ${key.slice(0, 8)}`, () =>
      Effect.gen(function* () {
        const options = { apiKey: Redacted.make(key) }
        const said = rejection({ code: "UNAUTHORIZED", message: `Incorrect API key provided: ${key}.` })
        const envelope = yield* failing(said, create({ prompt: "x" }), options)
        assert.strictEqual(apiMessageOf(envelope), "Incorrect API key provided: [redacted].")
        assertHidden(envelope, key)
        const page = yield* failing({ status: 403, text: `<p>${key}</p>` }, create({ prompt: "x" }), options)
        assert.strictEqual(page._tag === "UnexpectedResponse" && page.body, "<p>[redacted]</p>")
      })
    )
  }

  it.effect("are redacted if a successful response is incomplete", () =>
    Effect.gen(function* () {
      const secret = "plain-canary-secret"
      const endpoint = yield* failing(
        { status: 200, json: { url: "https://example.com", secret } },
        ({ webhookEndpoints }) => webhookEndpoints.create({ url: "https://example.com" })
      )
      assert.strictEqual(endpoint._tag, "UnexpectedResponse")
      assertHidden(endpoint, secret)
      const rotated = yield* failing(
        { status: 200, text: JSON.stringify({ new_key: secret, previous_key_valid_until: 1 }).slice(0, -1) + ",}" },
        ({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make("key_1"))
      )
      assert.strictEqual(rotated._tag, "UnexpectedResponse")
      assertHidden(rotated, secret)
    })
  )
})

describe("redaction of request parts in an API message", () => {
  const base64 = (bytes: number): string =>
    Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 7919 + (i >> 8) * 31) & 255)).toString("base64")
  const document = (characters: number): string => {
    const sentences = Array.from({ length: Math.ceil(characters / 30) }, (_, n) => `the ${n}th line of the document `)
    return sentences.join("").slice(0, characters)
  }
  const prompt = "a lighthouse in a storm"

  it.effect("removes a quoted part of a 20 MB base64 file", () =>
    Effect.gen(function* () {
      const image = base64(15_000_000)
      const message = `input.source_image of "${prompt}" is unprocessable near ${image.slice(9_000_000, 9_000_030)}`
      const error = yield* failing(
        rejection({ code: "INPUT_VALIDATION_ERROR", message }),
        create({ prompt, source_image: image })
      )
      assert.strictEqual(apiMessageOf(error), 'input.source_image of "[redacted]" is unprocessable near [redacted]')
    })
  )

  it.effect("removes a quoted part of a 1 MB text", () =>
    Effect.gen(function* () {
      const text = document(1_000_000)
      const message = `refused because of "${text.slice(700_000, 700_060)}"`
      const error = yield* failing(rejection({ code: "CONTENT_MODERATION_REJECTED", message }), create({ text }))
      assert.strictEqual(apiMessageOf(error), 'refused because of "[redacted]"')
    })
  )

  it.effect("removes the entire message if the request contains a 5 MB text", () =>
    Effect.gen(function* () {
      const text = document(5_000_000)
      const details = [{ field: "input.text", code: "TOO_LONG", message: text.slice(0, 40) }]
      const error = yield* failing(
        rejection({ code: "INPUT_VALIDATION_ERROR", message: text.slice(0, 40), details }),
        create({ text })
      )
      if (error._tag !== "InputValidationError") return assert.fail(error._tag)
      assert.match(error.apiMessage ?? "", /^\[redacted, because the request is too large/)
      assert.deepStrictEqual(
        error.details.map(({ code, field }) => [field, code]),
        [["input.text", "TOO_LONG"]]
      )
      assertHidden(error, text.slice(0, 40))
    })
  )

  it.effect("removes 5,000 short texts of the request from 5,000 error details", () =>
    Effect.gen(function* () {
      const labels = Array.from({ length: 5000 }, (_, n) => `label${n}`)
      const details = labels.map((label, n) => ({
        field: `input.labels.${n}`,
        code: "INVALID",
        message: `no ${label}!`
      }))
      const error = yield* failing(
        rejection({ code: "INPUT_VALIDATION_ERROR", message: "no", details }),
        create({ labels })
      )
      if (error._tag !== "InputValidationError") return assert.fail(error._tag)
      assert.deepStrictEqual(new Set(error.details.map(({ message }) => message)), new Set(["no [redacted]!"]))
      assert.strictEqual(error.details[4999]?.field, "input.labels.4999")
    })
  )
})

describe("redaction of a quoted prompt", () => {
  const prompt = `a "red" fox <in> snow & ice, 50% ä`
  const quote = (message: string) =>
    Effect.map(failing(rejection({ code: "CONTENT_MODERATION_REJECTED", message }), create({ prompt })), apiMessageOf)
  const asHtml = prompt
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&#62;")
    .replaceAll('"', "&#x22;")
  const asAscii = JSON.stringify(prompt).slice(1, -1).replaceAll("ä", "\\u00e4")
  for (const [name, quoted] of [
    ["plain text", prompt],
    ["JSON", JSON.stringify(prompt).slice(1, -1)],
    ["ASCII JSON", asAscii],
    ["JSON inside JSON", JSON.stringify(JSON.stringify(prompt)).slice(3, -3)],
    ["HTML", asHtml],
    ["percent-encoding", encodeURIComponent(prompt)],
    ["HTML inside JSON", JSON.stringify(asHtml).slice(1, -1)]
  ] as const) {
    it.effect(`removes a prompt in the format ${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* quote(`refused: ${quoted}; try again`), "refused: [redacted]; try again")
      })
    )
  }

  it.effect("keeps incomplete escape sequences in the API message", () =>
    Effect.gen(function* () {
      for (const odd of ["%", "%e", "%e4", "%zz", "&#", "&#x110000;", "&bogus;", "\\", "\\u12", "\\ud800", "\0"]) {
        assert.strictEqual(yield* quote(`refused: ${odd}`), `refused: ${odd}`)
      }
    })
  )
})

describe("secrets in an API message", () => {
  const context: classify.ErrorContext = { operation: "executions.create", attempts: 1, isRepeatable: true }

  it("are redacted if they are API keys, tokens, signatures or URL parameters", () => {
    for (const [said, secret] of [
      ["unknown key sk_live_canary-1.x", "canary"],
      ["secret whsec_canary1", "canary"],
      ["header Bearer canary.abc", "canary"],
      ["see https://x.example/f?token=canary", "canary"],
      ["see https:\\/\\/x.example\\/f?token=canary", "canary"],
      ["see https://x.example/f#canary", "canary"],
      ["X-Amz-Signature=canary", "canary"],
      ["X-Amz-Credential%3Dcanary", "canary"],
      ['"X-Amz-Security-Token": canary', "canary"]
    ] as const) {
      const error = classify.fromResponse(responseData(400, { error: { code: "NEW", message: said } }), context)
      assert.notInclude(JSON.stringify(error), secret, said)
    }
  })

  it("are redacted if they are texts from the request", () => {
    const said = (body: unknown, message: string) => {
      const error = classify.fromResponse(responseData(400, { error: { code: "NEW", message } }), {
        ...context,
        confidential: { privateTexts: privateTextsOf(body) }
      })
      return "apiMessage" in error ? error.apiMessage : undefined
    }
    const quoted = '"wolf" "fox" <in> "snow"'
    for (const text of [
      quoted,
      JSON.stringify(quoted),
      quoted.replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
      encodeURIComponent(quoted)
    ]) {
      for (const body of [{ input: { prompt: quoted } }, { input: { prompts: [{ text: quoted }] } }]) {
        assert.notMatch(String(said(body, `no: ${text}`)), /wolf|fox|snow/)
      }
    }
    const body = { input: { prompt: "tiger", style: "cat", file: "file_abc123" } }
    assert.strictEqual(
      said(body, "no: tiger, concatenated cat, file_abc123"),
      "no: [redacted], concatenated [redacted], file_abc123"
    )
    const long = { input: { prompt } }
    assert.strictEqual(said(long, `no: ${prompt.slice(0, 14)}!`), "no: [redacted]!")
    assert.strictEqual(said(long, `no: ${prompt.slice(0, 31)}!`), "no: [redacted]!")
    // `pass_` is not an id prefix of the API, so the text is redacted.
    assert.strictEqual(said({ input: { prompt: "pass_hunter2" } }, "no: pass_hunter2"), "no: [redacted]")
    // A lone surrogate must not cause an exception.
    assert.strictEqual(said({ input: { prompt: "\ud800 and more" } }, "no"), "no")
  })

  it("are redacted in an error that contains the content type of the response", () => {
    const quoting = { ...context, confidential: { privateTexts: privateTextsOf({ input: { prompt } }) } }
    const page = classify.fromResponse(responseData(500, "x", { "content-type": `text/${prompt}` }), quoting)
    assert.notInclude(JSON.stringify(page), prompt)
    assert.notInclude(JSON.stringify(classify.transportError("reset", quoting, prompt)), prompt)
  })

  for (const said of [
    '"X-Amz-Signature":"canary"',
    '"X-Amz-Signature": "canary"',
    "&quot;X-Amz-Signature&quot;:&quot;canary&quot;"
  ]) {
    it(`are redacted if the message contains a presigned URL signature: ${said}`, () => {
      const error = classify.fromResponse(
        {
          status: 400,
          headers: {},
          body: new TextEncoder().encode(JSON.stringify({ error: { code: "NEW", message: said } })),
          receivedAt: 0
        },
        { operation: "x", attempts: 1, isRepeatable: true }
      )
      assert.notInclude(JSON.stringify(error), "canary")
    })
  }

  it.effect("are redacted in the request id in the error of a FAILED execution", () => {
    const error = { code: "GENERATION_FAILED", message: "m", request_id: `${prompt} ${apiKey}` }
    const { client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "FAILED", error } }))
    return Effect.gen(function* () {
      const failure = failureOf(yield* runToEnd((yield* client).executions.run(image)))
      assert.notInclude(JSON.stringify(failure), apiKey)
      assert.notInclude(failure.message, prompt)
    })
  })
})
