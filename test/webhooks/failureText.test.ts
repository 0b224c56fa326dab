import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import * as Webhook from "effect-modelroute/Webhook"
import { failureText } from "../../src/internal/webhooks/failureText.js"
import { prompt } from "../utils/harness.js"

const eventWith = (data: unknown) =>
  new Webhook.Event({ id: Webhook.EventId.make("evt_1"), type: "execution.completed", data })

describe("failureText", () => {
  for (const [name, data] of [
    ["a field of data", { prompt, model: "flux-1.1-pro-ultra" }],
    ["data", prompt],
    ["an element of data", [prompt]]
  ] as const) {
    it(`redacts a text that is ${name}`, () => {
      const message = `insert failed for flux-1.1-pro-ultra: ${prompt}`
      const text = failureText(Cause.fail(new Error(message)), eventWith(data), [])
      assert.include(text, "insert failed for flux-1.1-pro-ultra: [redacted]")
      assert.notInclude(text, prompt)
    })
  }

  const large = eventWith({ prompt: Array.from({ length: 90_000 }, (_, n) => `lighthouse ${n}`).join(" ") })

  for (const [name, error, expected] of [
    ["the tag of an error", { _tag: "DatabaseError", message: "lighthouse 5" }, "DatabaseError"],
    ["the name of an Error", new RangeError("lighthouse 5"), "RangeError"],
    ["the type of a text", "lighthouse 5", "string"],
    ["the type of an object whose tag is no text", { _tag: 5 }, "object"],
    ["the type of undefined", undefined, "undefined"]
  ] as const) {
    it(`contains only ${name} if the event is too large to redact`, () => {
      for (const cause of [Cause.fail(error), Cause.die(error)]) {
        assert.match(failureText(cause, large, []), new RegExp(`^${expected} \\(text redacted, `))
      }
    })
  }

  it("contains the names of all errors if the event is too large to redact", () => {
    const cause = Cause.parallel(Cause.fail({ _tag: "Busy" }), Cause.die(new RangeError("lighthouse 5")))
    assert.match(failureText(cause, large, []), /^Busy, RangeError \(text redacted, /)
  })
})
