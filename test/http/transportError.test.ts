/** Tests the reasons of transport failures in every runtime. */
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { describeTransportError, isRejectedRedirect } from "../../src/internal/http/transportError.js"

const denoConnect = (detail: string) => [
  "fetch failed",
  `error sending request for url (https://example.com/): client error (Connect): ${detail}`
]
const denoSend = (detail: string) => [
  "fetch failed",
  `error sending request from 127.0.0.1:1 for https://example.com/ (127.0.0.1:2): client error (SendRequest): ${detail}`
]

type RecordedError = readonly [failure: string, reason: string, messages: ReadonlyArray<string>]

const recordedErrors: { readonly [runtime: string]: ReadonlyArray<RecordedError> } = {
  Deno: [
    ["refused connection", "connect", denoConnect("tcp connect error: Connection refused (os error 111)")],
    [
      "unknown host",
      "connect",
      denoConnect("dns error: failed to lookup address information: Name or service not known")
    ],
    ["certificate", "connect", denoConnect("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))")],
    ["TLS with a server without TLS", "connect", denoConnect("received corrupt message of type InvalidContentType")],
    ["reset during the TLS handshake", "connect", denoConnect("Connection reset by peer (os error 104)")],
    ["reset", "reset", ["fetch failed", "Connection reset by peer (os error 104)"]],
    ["reset during an upload", "reset", ["fetch failed", "Broken pipe (os error 32)"]],
    ["closed connection", "reset", denoSend("connection closed before message completed")],
    ["truncated body", "reset", ["error reading a body from connection"]],
    ["invalid response", "unknown", denoSend("invalid HTTP version parsed")]
  ],
  "Cloudflare Workers": [
    ["reset", "reset", ["Network connection lost."]],
    ["DNS or TLS failure", "unknown", ["internal error; reference = 2cb3ll30ngajb4ms95ahf047"]]
  ],
  Bun: [
    [
      "TLS with a server without TLS",
      "connect",
      ["EPROTO: The TLS handshake failed. Does the server speak TLS on this port?"]
    ]
  ],
  Chromium: [["any failure", "unknown", ["Failed to fetch"]]]
}

describe("describeTransportError", () => {
  it("determines the reason of a failure from the error codes of every runtime", () => {
    const request = HttpClientRequest.get("https://x")
    const reasonOf = (cause: unknown) =>
      describeTransportError(new HttpClientError.RequestError({ request, reason: "Transport", cause })).reason
    for (const [code, reason] of [
      ["ENOTFOUND", "connect"],
      ["UND_ERR_CONNECT_TIMEOUT", "connect"],
      ["CERT_HAS_EXPIRED", "connect"],
      ["DEPTH_ZERO_SELF_SIGNED_CERT", "connect"],
      ["ERR_TLS_CERT_ALTNAME_INVALID", "connect"],
      ["ERR_SSL_WRONG_VERSION_NUMBER", "connect"],
      ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "connect"],
      ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "reset"],
      ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "reset"],
      ["EPIPE", "reset"],
      ["UND_ERR_SOCKET", "reset"],
      ["ETIMEDOUT", "timeout"],
      ["UND_ERR_BODY_TIMEOUT", "timeout"],
      ["ConnectionRefused", "connect"],
      ["ConnectionClosed", "reset"],
      ["E_NEW", "unknown"]
    ] as const) {
      const error = Object.assign(new Error("x"), { code })
      assert.strictEqual(reasonOf(error), reason, code)
      assert.strictEqual(reasonOf(new Error("fetch failed", { cause: error })), reason, code)
      assert.strictEqual(reasonOf(new AggregateError([error])), reason, code)
    }
    for (const [syscall, reason] of [
      ["connect", "connect"],
      ["read", "reset"],
      ["write", "reset"]
    ] as const) {
      const error = Object.assign(new Error("x"), { code: "EHOSTUNREACH", syscall })
      assert.strictEqual(reasonOf(new Error("fetch failed", { cause: error })), reason, syscall)
    }
    for (const [error, reason] of [
      [{ code: "ECONNRESET", syscall: "connect" }, "connect"],
      [{ code: "ETIMEDOUT", syscall: "connect" }, "connect"],
      [{ code: "EAI_FAIL", syscall: "getaddrinfo" }, "connect"],
      [{ code: "ECONNRESET", syscall: "read" }, "reset"],
      [{ code: "ETIMEDOUT", syscall: "read" }, "timeout"]
    ] as const) {
      const { code, syscall } = error
      const inner = Object.assign(new Error(`${syscall} ${code}`), error)
      for (const cause of [inner, new TypeError("fetch failed", { cause: inner })]) {
        assert.strictEqual(reasonOf(cause), reason, `${syscall} ${code}`)
      }
    }
    const cyclic = new Error("x")
    cyclic.cause = cyclic
    assert.strictEqual(reasonOf(cyclic), "unknown")
    for (const cause of [null, undefined, "ECONNREFUSED", {}]) assert.strictEqual(reasonOf(cause), "unknown")
    const nested = (levels: number): Error =>
      levels === 0
        ? Object.assign(new Error("x"), { code: "ECONNREFUSED" })
        : new Error("x", { cause: nested(levels - 1) })
    assert.deepStrictEqual([reasonOf(nested(7)), reasonOf(nested(8))], ["connect", "unknown"])
  })

  it("determines the reason of a failed TLS handshake from the message if the error code is ambiguous", () => {
    const reasonOf = (code: string, message: string, syscall?: string) =>
      describeTransportError({ reason: "Transport", cause: Object.assign(new Error(message), { code, syscall }) })
        .reason
    const unfinished = "Client network socket disconnected before secure TLS connection was established"
    assert.strictEqual(reasonOf("ECONNRESET", unfinished), "connect")
    assert.strictEqual(reasonOf("ECONNRESET", "socket hang up"), "reset")
    const openSsl = (problem: string) =>
      `write EPROTO 80:error:0A:SSL routines:ssl3_get_record:${problem}:../ssl.c:350:`
    assert.strictEqual(reasonOf("EPROTO", openSsl("wrong version number"), "write"), "connect")
    assert.strictEqual(reasonOf("EPROTO", openSsl("sslv3 alert handshake failure"), "write"), "connect")
    assert.strictEqual(reasonOf("EPROTO", openSsl("tlsv13 alert certificate required"), "write"), "reset")
    assert.strictEqual(reasonOf("EPROTO", "write EPROTO", "write"), "reset")
    const withoutFile = "write EPROTO 80:error:0A:SSL routines:ssl3_get_record:wrong version number\n"
    assert.strictEqual(reasonOf("EPROTO", withoutFile, "write"), "connect")
  })

  // Each list contains the messages of an error and its causes, as recorded with Deno 2.9, workerd 1.20260730, Bun 1.4
  // and Chromium 153. The hosts and the ports are replaced.
  for (const [runtime, cases] of Object.entries(recordedErrors)) {
    it(`determines the reason of a failure from the messages of ${runtime}`, () => {
      for (const [failure, reason, messages] of cases) {
        const cause = messages.reduceRight<Error | undefined>(
          (inner, message) => (inner === undefined ? new Error(message) : new TypeError(message, { cause: inner })),
          undefined
        )
        assert.strictEqual(describeTransportError({ reason: "Transport", cause }).reason, reason, failure)
      }
    })
  }

  it("determines the reason timeout from the error of AbortSignal.timeout", () => {
    const cause = new DOMException("The operation was aborted due to timeout", "TimeoutError")
    assert.strictEqual(describeTransportError({ reason: "Transport", cause }).reason, "timeout")
  })
})

describe("text of a transport error", () => {
  for (const [text, cause] of [
    [
      "connect ECONNREFUSED",
      new TypeError("fetch failed", { cause: new Error("x", { cause: new Error("connect ECONNREFUSED") }) })
    ],
    ["connect ECONNREFUSED", new AggregateError([new Error("connect ECONNREFUSED"), new Error("other")], "failed")],
    ["ECONNRESET", new Error("fetch failed", { cause: Object.assign(new Error(""), { code: "ECONNRESET" }) })],
    ["ECONNRESET", { code: "ECONNRESET" }],
    ["reset", { code: "ECONNRESET", message: "reset" }],
    ["Transport", {}],
    ["Transport", undefined],
    ["Transport", null]
  ] as const) {
    it(`is the message or the code of the innermost cause: ${text}`, () => {
      assert.strictEqual(describeTransportError({ reason: "Transport", cause }).text, text)
    })
  }
})

describe("isRejectedRedirect", () => {
  it("returns true for the errors of Node and Bun", () => {
    const request = HttpClientRequest.get("https://x")
    const isRejected = (cause: unknown) =>
      isRejectedRedirect(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
    assert.isTrue(isRejected(new TypeError("fetch failed", { cause: new Error("unexpected redirect") })))
    assert.isTrue(isRejected(Object.assign(new TypeError("UnexpectedRedirect"), { code: "UnexpectedRedirect" })))
    assert.isFalse(isRejected(new TypeError("fetch failed")))
  })
})
