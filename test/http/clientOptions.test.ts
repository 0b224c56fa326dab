/** Tests the checks of client options. `ModelRouteClient.test.ts` tests the options of a client. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigError, ConfigProvider, Duration, Effect, Either, Redacted, Schedule } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { withConfig } from "../../src/internal/http/clientConfig.js"
import * as clientOptions from "../../src/internal/http/clientOptions.js"

const rejection = (result: Either.Either<unknown, ModelRouteError.InvalidRequest>) =>
  Either.match(result, { onLeft: ({ message }) => message, onRight: () => "accepted" })

describe("checkApiKey", () => {
  for (const [key, problem] of [
    ["", "is empty"],
    [" \n", "is empty"],
    ["sk abc", "contains white space"],
    ["sk_abc\n", "contains white space"],
    ['sk_"abc', "contains quotes or characters that cannot be sent"],
    ["'sk_abc", "contains quotes or characters that cannot be sent"],
    ["sk_abc\u00e9", "contains quotes or characters that cannot be sent"],
    ["\u007fsk_abc", "contains quotes or characters that cannot be sent"]
  ] as const) {
    it(`rejects the key ${JSON.stringify(key)}`, () => {
      for (const operation of ["ModelRouteClient.make", "webhooks"]) {
        const result =
          operation === "webhooks"
            ? clientOptions.checkApiKey(Redacted.make(key), operation)
            : clientOptions.checkApiKey(Redacted.make(key))
        assert.strictEqual(
          rejection(result),
          `${operation}: apiKey ${problem}. Copy the key from the dashboard again, without quotes or line breaks.`
        )
      }
    })
  }

  it("rejects a key that is not Redacted", () => {
    const { key }: { readonly key: Redacted.Redacted } = JSON.parse('{"key":"sk_abc"}')
    assert.match(rejection(clientOptions.checkApiKey(key)), /^ModelRouteClient\.make: apiKey is not a Redacted string/)
  })

  it("returns a valid key", () => {
    for (const text of ["x", "sk_abc", "!#$%&()*+~"]) {
      const key = Redacted.make(text)
      assert.deepStrictEqual(clientOptions.checkApiKey(key), Either.right(key))
    }
  })
})

describe("checkAttemptTimeout", () => {
  it("rejects a timeout of zero", () => {
    assert.deepStrictEqual(clientOptions.checkAttemptTimeout("2 seconds"), Either.right(Duration.seconds(2)))
    assert.match(
      rejection(clientOptions.checkAttemptTimeout(0)),
      /^ModelRouteClient\.make: attemptTimeout is not above/
    )
  })
})

describe("checkOptions", () => {
  it("rejects options of a wrong type", () => {
    const valid = {
      retry: Schedule.forever,
      retryWhile: () => true,
      pollSchedule: Schedule.forever,
      transformClient: () => {},
      propagateTraceContext: true
    }
    assert.isTrue(Either.isRight(clientOptions.checkOptions(valid)))
    assert.isTrue(Either.isRight(clientOptions.checkOptions({})))
    for (const name of Object.keys(valid)) {
      const error = Either.getOrThrow(Either.flip(clientOptions.checkOptions({ ...valid, [name]: 5 })))
      assert.deepInclude(error, { operation: "ModelRouteClient.make", field: name })
    }
  })
})

describe("isUnencrypted", () => {
  for (const [url, expected] of [
    ["http://proxy.internal", true],
    ["https://proxy.internal", false],
    ["http://localhost", false],
    ["http://api.localhost:8787", false],
    ["http://localhost.example", true],
    ["http://mylocalhost", true],
    ["http://127.0.0.1", false],
    ["http://127.255.10.1", false],
    ["http://1127.0.0.1.example", true],
    ["http://127.0.0.1.example", true],
    ["http://128.0.0.1", true],
    ["http://[::1]:80", false],
    ["http://[::2]", true]
  ] as const) {
    it(`returns ${expected} for ${url}`, () => assert.strictEqual(clientOptions.isUnencrypted(url), expected))
  }
})

describe("normalizeBaseUrl", () => {
  for (const [url, normalized] of [
    ["https://api.modelroute.ai", "https://api.modelroute.ai"],
    ["https://api.modelroute.ai/", "https://api.modelroute.ai"],
    ["https://x.example/a//", "https://x.example/a"],
    ["https://x.example/v1", "https://x.example"],
    ["https://x.example/v1/", "https://x.example"],
    ["https://x.example/v1/a", "https://x.example/v1/a"],
    ["https://x.example/a/v1/v1", "https://x.example/a/v1"],
    ["http://x.example:8080/av1", "http://x.example:8080/av1"]
  ] as const) {
    it(`returns ${normalized} for ${url}`, () => {
      assert.deepStrictEqual(clientOptions.normalizeBaseUrl(url), Either.right(normalized))
    })
  }

  for (const [url, problem] of [
    ["x.example", "is not an absolute URL"],
    ["", "is not an absolute URL"],
    ["ftp://x.example", "is neither http nor https"],
    ["https://user@x.example", "contains a user name or password"],
    ["https://:pass@x.example", "contains a user name or password"],
    ["https://x.example?a=b", "contains a query or fragment"],
    ["https://x.example#a", "contains a query or fragment"]
  ] as const) {
    it(`rejects ${JSON.stringify(url)}`, () => {
      const expected = `baseUrl ${problem}. Pass a URL such as https://api.modelroute.ai.`
      assert.strictEqual(rejection(clientOptions.normalizeBaseUrl(url)), `ModelRouteClient.make: ${expected}`)
      assert.strictEqual(rejection(clientOptions.normalizeBaseUrl(url, "webhooks")), `webhooks: ${expected}`)
    })
  }

  it("rejects a value that is not a string", () => {
    const url: { readonly baseUrl: string } = JSON.parse('{"baseUrl":["https://x.example"]}')
    assert.include(rejection(clientOptions.normalizeBaseUrl(url.baseUrl)), "is not an absolute URL")
  })
})

describe("withConfig", () => {
  const load = (variables: Record<string, string>, field?: string) =>
    withConfig(({ apiKey, baseUrl }) =>
      field === undefined
        ? Effect.succeed([Redacted.value(apiKey), baseUrl])
        : Effect.fail(new ModelRouteError.InvalidRequest({ field, message: "is wrong" }))
    ).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))

  const key = { MODELROUTE_API_KEY: "sk_1" }

  it.effect("passes the variables to the function", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* load(key), ["sk_1", undefined])
      assert.deepStrictEqual(yield* load({ ...key, MODELROUTE_BASE_URL: "" }), ["sk_1", undefined])
      assert.deepStrictEqual(yield* load({ ...key, MODELROUTE_BASE_URL: "http://x" }), ["sk_1", "http://x"])
    })
  )

  it.effect("explains a missing API key", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(load({}))
      assert.deepStrictEqual(
        missing,
        ConfigError.MissingData(["MODELROUTE_API_KEY"], "Set it to your API key from the dashboard.")
      )
    })
  )

  it.effect("does not change another error of the configuration", () =>
    Effect.gen(function* () {
      const error = ConfigError.SourceUnavailable(["MODELROUTE_API_KEY"], "no connection", Cause.empty)
      const provider = ConfigProvider.make({
        load: () => Effect.fail(error),
        flattened: ConfigProvider.fromMap(new Map()).flattened
      })
      const failure = yield* Effect.flip(
        Effect.withConfigProvider(
          withConfig(() => Effect.void),
          provider
        )
      )
      assert.deepStrictEqual(failure, error)
    })
  )

  for (const [field, variable] of [
    ["apiKey", "MODELROUTE_API_KEY"],
    ["baseUrl", "MODELROUTE_BASE_URL"],
    ["retry", "retry"]
  ] as const) {
    it.effect(`fails with the name ${variable} if the option ${field} is invalid`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Effect.flip(load(key, field)), ConfigError.InvalidData([variable], "is wrong"))
      })
    )
  }
})
