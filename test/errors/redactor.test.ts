/** Tests the redactor of texts. `redact.test.ts` tests the errors of client methods. */
import { assert, describe, it } from "@effect/vitest"
import { maxShownChars, makeRedactor } from "../../src/internal/errors/redact.js"

const tooLarge = "[redacted, because the request is too large to check for quoted text]"

/** Returns the redactor of a request that contains `texts`. */
const redactorOf = (texts: ReadonlyArray<string>, secrets: ReadonlyArray<string> = []) =>
  makeRedactor({ privateTexts: { texts, isComplete: true }, secrets })

const redact = (text: string, texts: ReadonlyArray<string> = [], secrets: ReadonlyArray<string> = []) =>
  redactorOf(texts, secrets).redactText([text])[0]

describe("redactText", () => {
  const prompt = "a lighthouse in a storm"

  it("removes each part that has at least 12 characters in common with the request", () => {
    assert.strictEqual(redact(`no: ${prompt}!`, [prompt]), "no: [redacted]!")
    assert.strictEqual(redact(prompt, [prompt]), "[redacted]")
    assert.strictEqual(redact("lighthouse in", [prompt]), "[redacted]")
    assert.strictEqual(redact("<lighthouse i>", [prompt]), "<[redacted]>")
    assert.strictEqual(redact("lighthouse i", [prompt]), "[redacted]")
    assert.strictEqual(redact("(0123456789ab)0123456789abc", ["0123456789ab"]), "([redacted])[redacted]c")
    assert.strictEqual(redact("%41%42%43%44", ["x %41%42%43%44"]), "[redacted]")
    assert.strictEqual(redact("<lighthouse >", [prompt]), "<lighthouse >")
    assert.strictEqual(
      redact("a lighthouse, a storm, in a storm: house in a storm", [prompt]),
      "[redacted], a storm, in a storm: [redacted]"
    )
    assert.strictEqual(redact("a lighthouse and lighthouse in", [prompt, "x".repeat(500)]), "[redacted]and[redacted]")
  })

  it("removes short texts of the request only if they are whole words", () => {
    for (const [text, redacted] of [
      ["tiger", "[redacted]"],
      ["a tiger!", "a [redacted]!"],
      ["tiger tiger", "[redacted] [redacted]"],
      ["tigers and a_tiger and tiger_2 and 2tiger", "tigers and a_tiger and tiger_2 and 2tiger"],
      ["\u00e4tiger tiger\u00e4 \u4e00tiger", "\u00e4tiger tiger\u00e4 \u4e00tiger"],
      ["\u2014tiger\u2014", "\u2014[redacted]\u2014"],
      ["tig", "tig"],
      ["the cat, a cat", "the [redacted], a [redacted]"],
      ["eleven char", "[redacted]"],
      ["ab", "ab"]
    ] as const) {
      assert.strictEqual(redact(text, ["tiger", "cat", "eleven char"]), redacted)
    }
  })

  it("removes secrets of at least 3 characters", () => {
    assert.strictEqual(redact("key ab, abc", [], ["abc", "ab"]), "key ab, [redacted]")
    assert.strictEqual(redact("key mr_key_canary0123.", [], ["mr_key_canary0123"]), "key [redacted].")
    const { redactText } = makeRedactor({ secrets: ["abc"] })
    assert.deepStrictEqual(redactText(["abc", "", "abcd"]), ["[redacted]", "", "abcd"])
    assert.deepStrictEqual(makeRedactor({}).redactText(["abc", ""]), ["abc", ""])
    assert.deepStrictEqual(makeRedactor({}).redactText([]), [])
  })

  it("redacts each of several texts on its own", () => {
    assert.deepStrictEqual(
      redactorOf([prompt]).redactText(["no", `x ${prompt}`, "", "a lighthouse", "light", "house in"]),
      ["no", "x [redacted]", "", "[redacted]", "light", "house in"]
    )
  })

  it("redacts each of several texts on its own if the request contains the separator of the texts", () => {
    const { redactText } = redactorOf(["\0ghijklmnopqr", "uvw\0xyzxyzxyz"])
    assert.deepStrictEqual(redactText(["abc", "ghijklmnopqr", "x uvw", "xyzxyzxyz."]), [
      "abc",
      "[redacted]",
      "x [redacted]",
      "[redacted]."
    ])
  })

  it("returns at most 2,048 characters", () => {
    const long = "x y ".repeat(600)
    assert.strictEqual(redact(long), long.slice(0, maxShownChars))
    const quoting = "tiger ".repeat(400)
    assert.strictEqual(redact(quoting, ["tiger"]), "[redacted] ".repeat(400).slice(0, maxShownChars))
    const link = `${"tiger ".repeat(330)} sk_abc`
    assert.strictEqual(redact(link, ["tiger"])?.length, maxShownChars)
  })

  const MiB = 1024 * 1024
  const sentence = (length: number) => "some words of a text ".repeat(length / 20).slice(0, length)

  it("compares at most 1 MiB of the request", () => {
    const largest = redactorOf([sentence(MiB)])
    assert.isTrue(largest.canSearch)
    assert.deepStrictEqual(largest.redactText(["no: (some words of a text)"]), ["no: ([redacted])"])
    for (const redactor of [
      redactorOf([sentence(MiB + 1)]),
      redactorOf([sentence(MiB), "tiger"]),
      makeRedactor({ privateTexts: { texts: [], isComplete: false } })
    ]) {
      assert.isFalse(redactor.canSearch)
      assert.deepStrictEqual(redactor.redactText(["no", ""]), [tooLarge, ""])
    }
  })

  it("removes tokens if a file in the request is too large to be compared", () => {
    const { canSearch, redactText } = redactorOf([`${"QUJD".repeat(MiB / 4)}=`, prompt])
    assert.isTrue(canSearch)
    for (const [text, redacted] of [
      [`no: ${prompt}`, "no: [redacted]"],
      ["near QUJDQUJDQUJD end", "near [redacted] end"],
      ["near QUJDQUJDQUJ end", "near QUJDQUJDQUJ end"],
      ["iVBORw0KGgoAAA==", "[redacted]"],
      ["iVBORw0KGgo= abcdefghijk1", "[redacted] [redacted]"],
      ["(Unprocessable) input.source_image, content-encoding: transformation", undefined],
      ["UnProcessable and unprocessable1", "[redacted] and [redacted]"],
      ["_unprocessable_ and input..source_image", "[redacted] and [redacted]"]
    ] as const) {
      assert.deepStrictEqual(redactText([text]), [redacted ?? text])
    }
    assert.deepStrictEqual(redactText(["QUJDQUJ", "DQUJDQUJ", "x", "QUJDQUJDQUJD", "end"]), [
      "QUJDQUJ",
      "DQUJDQUJ",
      "x",
      "[redacted]",
      "end"
    ])
  })

  it("does not remove tokens if the whole request is compared", () => {
    assert.strictEqual(redact("near QUJDQUJDQUJD end", [prompt]), "near QUJDQUJDQUJD end")
  })

  it("compares the shortest texts if the request is too large", () => {
    const { redactText } = redactorOf([`${"QUJD".repeat(MiB / 4)}=`, "x".repeat(20), prompt])
    assert.deepStrictEqual(redactText([prompt, "x".repeat(12)]), ["[redacted]", "[redacted]"])
  })

  for (const [text, redacted] of [
    ["key sk_live_a-b.c, whsec_abc!", "key sk_[redacted], whsec_[redacted]!"],
    ["task_1 ask_abc", "task_1 ask_abc"],
    ['Bearer abc.def; bearer  xyz"', 'Bearer [redacted]; Bearer [redacted]"'],
    ["a bearer", "a bearer"],
    ["forbearer abc", "forbearer abc"],
    ["<https://user:pass@x.example/f>", "<https://[redacted]@x.example/f>"],
    ["http:\\/\\/user@x.example\\/f", "http:\\/\\/[redacted]@x.example\\/f"],
    ["https://x.example/a@b", "https://x.example/a@b"],
    ["see https://x.example/f?a=b&c=d end", "see https://x.example/f?[redacted] end"],
    ["'https://x.example/f#part'", "'https://x.example/f?[redacted]'"],
    ['https:\\/\\/x.example\\/f?a=b"', 'https:\\/\\/x.example\\/f?[redacted]"'],
    ["what? https://x.example/f", "what? https://x.example/f"],
    ["http://x.example/f?a=b", "http://x.example/f?[redacted]"],
    ["https:/x?y=z", "https:/x?y=z"],
    ["X-Amz-Signature=abc&x=1", "X-Amz-Signature=[redacted]&x=1"],
    ["x-amz-security-token%3Dabc", "x-amz-security-token%3D[redacted]"],
    ['"X-Amz-Credential" : "a b", "c"', '"X-Amz-Credential" : "[redacted] b", "c"'],
    ['\\"X-Amz-Date\\":\\"abc\\"', '\\"X-Amz-Date\\":\\"[redacted]\\"'],
    ["&quot;X-Amz-Date&quot;:&quot;abc&quot;", "&quot;X-Amz-Date&quot;:&quot;[redacted]&quot;"],
    ["X-Amz-Date and X-Amz-Expires", "X-Amz-Date and X-Amz-Expires"],
    ['{"client_secret":"a b","x":"y"}', '{"client_secret":"[redacted]","x":"y"}'],
    ['{"new_key" : "abc"}', '{"new_key" : "[redacted]"}'],
    ['"api_key":"abc", "access_token":"abc"', '"api_key":"[redacted]", "access_token":"[redacted]"'],
    ['"PASSWORD": "abc"', '"PASSWORD": "[redacted]"'],
    ['\\"secret\\":\\"abc\\"', '\\"secret\\":\\"[redacted]\\"'],
    ["&quot;token&quot;: &quot;a;b&quot;", "&quot;token&quot;: &quot;[redacted]&quot;"],
    ['"secret":""', '"secret":""'],
    ['"secret_name":"abc", "key":"abc"', '"secret_name":"abc", "key":"abc"']
  ] as const) {
    it(`removes the secrets that have a known form: ${text}`, () => {
      assert.strictEqual(redact(text), redacted)
      assert.strictEqual(redact(`tiger ${text}`, ["tiger"]), `[redacted] ${redacted}`)
    })
  }
})

describe("redactIdentifiers", () => {
  const prompt = "a lighthouse in a storm"

  it("keeps identifiers that the request also contains, and removes secrets", () => {
    const { redactIdentifiers } = redactorOf(["width", "input.source_image", prompt], ["canary"])
    const longest = "x".repeat(200)
    assert.deepStrictEqual(redactIdentifiers(["width", "input.source_image", "a[0].b:c$d/e*f+g-h", "", longest]), [
      "width",
      "input.source_image",
      "a[0].b:c$d/e*f+g-h",
      "",
      longest
    ])
    assert.deepStrictEqual(redactIdentifiers(["canary", "input.canary", "sk_abc"]), [
      "[redacted]",
      "input.[redacted]",
      "sk_[redacted]"
    ])
  })

  it("redacts other texts as free text", () => {
    const { redactIdentifiers } = redactorOf(["width", prompt], ["canary"])
    assert.deepStrictEqual(redactIdentifiers(["the width", "width", `input.${prompt}`, "a canary", "=width"]), [
      "the [redacted]",
      "width",
      "input.[redacted]",
      "a [redacted]",
      "=[redacted]"
    ])
    const long = `width:${"x".repeat(195)}`
    assert.deepStrictEqual(redactIdentifiers([long]), [`[redacted]${long.slice(5)}`])
  })

  it("keeps identifiers if the request is too large to be compared", () => {
    const { redactIdentifiers } = makeRedactor({ privateTexts: { texts: [], isComplete: false }, secrets: ["canary"] })
    assert.deepStrictEqual(redactIdentifiers(["input.width", "two words", "", "canary"]), [
      "input.width",
      tooLarge,
      "",
      "[redacted]"
    ])
  })
})
