/** Reads HTTP/1.1 requests from sockets and encodes responses, without an HTTP library. */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"

/** Reads the bytes of a socket on demand. Without reads, the socket applies backpressure to its peer. */
export class ByteReader {
  private bytes = Buffer.alloc(0)
  private isEnded = false
  private onChange = (): void => {}

  constructor(private readonly socket: Duplex) {
    const end = (): void => {
      this.isEnded = true
      this.onChange()
    }
    socket.on("readable", () => this.onChange())
    for (const event of ["end", "error", "close"]) socket.on(event, end)
  }

  get hasBytes(): boolean {
    return this.bytes.length > 0
  }

  /** Waits for more bytes. Returns `false` if the socket has ended. */
  private readonly more: Effect.Effect<boolean> = Effect.async((resume) => {
    const settle = (isOpen: boolean): void => {
      this.onChange = () => {}
      resume(Effect.succeed(isOpen))
    }
    const poll = (): void => {
      const chunk: unknown = this.socket.read()
      if (Buffer.isBuffer(chunk)) {
        this.bytes = Buffer.concat([this.bytes, chunk])
        settle(true)
      } else if (this.isEnded) settle(false)
    }
    this.onChange = poll
    poll()
    return Effect.sync(() => {
      this.onChange = () => {}
    })
  })

  /** Waits for at least one byte, without consuming it. Returns `false` if the socket has ended. */
  readonly peek: Effect.Effect<boolean> = Effect.suspend(() => (this.hasBytes ? Effect.succeed(true) : this.more))

  /** Returns the text before a separator. Returns `undefined` if the socket has ended before. */
  readUntil(separator: string): Effect.Effect<string | undefined> {
    return Effect.suspend(() => {
      const at = this.bytes.indexOf(separator)
      if (at < 0)
        return Effect.flatMap(this.more, (isOpen) => (isOpen ? this.readUntil(separator) : Effect.succeed(undefined)))
      const text = this.bytes.toString("latin1", 0, at)
      this.bytes = this.bytes.subarray(at + separator.length)
      return Effect.succeed(text)
    })
  }

  /** Returns the next `length` bytes. Returns `undefined` if the socket has ended before. */
  readExactly(length: number): Effect.Effect<Buffer | undefined> {
    return Effect.suspend(() => {
      if (this.bytes.length < length) {
        return Effect.flatMap(this.more, (isOpen) => (isOpen ? this.readExactly(length) : Effect.succeed(undefined)))
      }
      const read = Buffer.from(this.bytes.subarray(0, length))
      this.bytes = this.bytes.subarray(length)
      return Effect.succeed(read)
    })
  }

  /** Discards all bytes until the peer has closed the connection. */
  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    this.bytes = Buffer.alloc(0)
    return Effect.flatMap(this.more, (isOpen) => (isOpen ? this.drain : Effect.void))
  })
}

/** Request line and header of a request. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string }
}

export const parseHead = (text: string): RequestHead => {
  const [requestLine = "", ...lines] = text.split("\r\n")
  const [method = "", path = ""] = requestLine.split(" ")
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { method, path, headers }
}

const readChunks = (reader: ByteReader, chunks: ReadonlyArray<Buffer>): Effect.Effect<Buffer | undefined> =>
  Effect.gen(function* () {
    const size = Number.parseInt((yield* reader.readUntil("\r\n")) ?? "", 16)
    if (Number.isNaN(size)) return undefined
    const chunk = yield* reader.readExactly(size + 2)
    if (chunk === undefined) return undefined
    return size === 0 ? Buffer.concat(chunks) : yield* readChunks(reader, [...chunks, chunk.subarray(0, size)])
  })

/** Reads the body of a request. Returns `undefined` if the connection ends before the body is complete. */
export const readRequestBody = (reader: ByteReader, { headers }: RequestHead): Effect.Effect<Buffer | undefined> =>
  headers["transfer-encoding"] === "chunked"
    ? readChunks(reader, [])
    : reader.readExactly(Number(headers["content-length"] ?? "0"))

/** Response of the API or its storage. */
export interface ApiResponse {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer
}

/** Encodes the status line and the header. `framing` contains the header lines that delimit the body. */
export const encodeHead = (
  { body, headers, status }: ApiResponse,
  framing: ReadonlyArray<string> = [`content-length: ${body.length}`],
  version = "1.1"
): Buffer => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return Buffer.from([`HTTP/${version} ${status} Status`, ...lines, ...framing, "", ""].join("\r\n"), "latin1")
}

/** Encodes a complete response. */
export const encodeResponse = (response: ApiResponse, framing?: ReadonlyArray<string>, version?: string): Buffer =>
  Buffer.concat([encodeHead(response, framing, version), response.body])

/** Encodes bytes as one chunk of a chunked body. */
export const encodeChunk = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])
