import { createHash, createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { hmacSha256Hex, sha256Hex } from "../../src/internal/data/sha256.js"

const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 31 + length) % 256)

const lengths = [...Array.from({ length: 200 }, (_, length) => length), 100_000]

describe("sha256Hex", () => {
  it("returns the same hash as node:crypto", () => {
    for (const length of lengths) {
      assert.strictEqual(sha256Hex(bytes(length)), createHash("sha256").update(bytes(length)).digest("hex"))
    }
  })

  it("encodes a string as UTF-8", () => {
    for (const text of ["", "key", "bäh", "日本語", "🦊", "\ud83e"]) {
      assert.strictEqual(sha256Hex(text), createHash("sha256").update(text, "utf8").digest("hex"))
    }
  })
})

describe("hmacSha256Hex", () => {
  it("returns the same code as node:crypto for keys of any length", () => {
    for (const length of lengths) {
      const key = bytes(length % 150)
      assert.strictEqual(
        hmacSha256Hex(key, bytes(length)),
        createHmac("sha256", key).update(bytes(length)).digest("hex")
      )
    }
  })

  it("accepts strings as key and message", () => {
    assert.strictEqual(hmacSha256Hex("whsec_ä", "1.{}"), createHmac("sha256", "whsec_ä").update("1.{}").digest("hex"))
  })
})
