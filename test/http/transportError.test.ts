/** Tests the reasons of transport failures in every runtime. */
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { describeTransportError } from "../../src/internal/http/transportError.js"

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
      assert.strictEqual(reasonOf(Object.assign(new Error(`${syscall} ${code}`), error)), reason, `${syscall} ${code}`)
    }
    const cyclic = new Error("x")
    cyclic.cause = cyclic
    assert.strictEqual(reasonOf(cyclic), "unknown")
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
  })
})
