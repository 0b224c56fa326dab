/**
 * The server of the comparison benchmark. Runs in a separate process, so that its CPU time is not measured. Sends its
 * port to the parent process.
 *
 * The path selects the response: `/chunked` has no `content-length`, `/gzip` is compressed, and `/errors-100` is an
 * error with 100 details. A POST request below `/held` receives no response, and a GET request below `/held` receives
 * the number of these requests. All other paths receive a response with `content-length`.
 */
import * as Http from "node:http"
import { gzipSync } from "node:zlib"

interface Reply {
  readonly status: number
  readonly headers: Http.OutgoingHttpHeaders
  /** The chunks of the body. The server writes each chunk separately. */
  readonly chunks: ReadonlyArray<Uint8Array>
}

const contentType = { "content-type": "application/json" }

const created = Buffer.from(
  JSON.stringify({
    id: "exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    status: "PENDING",
    model: "flux-1.1-pro",
    hold_amount: "0.048",
    estimated_cost: "0.040",
    expires_at: "2026-03-20T10:35:00Z",
    created_at: "2026-03-20T10:30:00Z"
  })
)

const split = (body: Uint8Array): ReadonlyArray<Uint8Array> => [body.subarray(0, 60), body.subarray(60)]

const plain: Reply = {
  status: 202,
  headers: { ...contentType, "content-length": created.length },
  chunks: [created]
}

const chunked: Reply = { status: 202, headers: contentType, chunks: split(created) }

const gzip: Reply = {
  status: 202,
  headers: { ...contentType, "content-encoding": "gzip" },
  chunks: split(gzipSync(created))
}

/** Returns a rejection with `count` details. The body is smaller than 1 MiB with 10,000 details. */
const rejected = (count: number): Reply => {
  const body = Buffer.from(
    JSON.stringify({
      error: {
        code: "INPUT_VALIDATION_ERROR",
        message: "Invalid input parameters",
        retryable: false,
        request_id: "req_1",
        details: Array.from({ length: count }, (_, n) => ({
          field: `input.width${n}`,
          code: "OUT_OF_RANGE",
          message: `width must be between 256 and ${n + 1024}`
        }))
      }
    })
  )
  return { status: 400, headers: { ...contentType, "content-length": body.length }, chunks: [body] }
}

let heldCount = 0

/** Keeps a request without a response until the client closes the connection. */
const hold = (response: Http.ServerResponse): void => {
  heldCount++
  response.on("close", () => heldCount--)
}

/** The rate limit in the headers allows many concurrent requests. */
const replyWithHeldCount = (): Reply => ({
  status: 200,
  headers: {
    ...contentType,
    "x-ratelimit-limit": 10_000,
    "x-ratelimit-remaining": 9999,
    "x-ratelimit-reset": Math.ceil((performance.timeOrigin + performance.now()) / 1000) + 60
  },
  chunks: [Buffer.from(String(heldCount))]
})

const rejections = new Map<number, Reply>()

const replyTo = (path: string): Reply => {
  if (path.includes("/chunked")) return chunked
  if (path.includes("/gzip")) return gzip
  if (path.includes("/held")) return replyWithHeldCount()
  const count = /\/errors-(\d+)/.exec(path)?.[1]
  if (count === undefined) return plain
  const reply = rejections.get(Number(count)) ?? rejected(Number(count))
  rejections.set(Number(count), reply)
  return reply
}

const server = Http.createServer((request, response) => {
  const path = request.url ?? "/"
  const isHeld = request.method === "POST" && path.includes("/held")
  request.resume()
  request.on("end", () => {
    if (isHeld) return hold(response)
    const { chunks, headers, status } = replyTo(path)
    response.writeHead(status, headers)
    for (const chunk of chunks) response.write(chunk)
    response.end()
  })
})

// The clients close idle connections. Otherwise, a request can fail because the server closes its connection.
server.keepAliveTimeout = 0
process.on("disconnect", () => process.exit())
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object") process.send?.(address?.port)
})
