/**
 * Server of the transfer benchmark. Implements the file endpoints of the API and a storage that discards the bytes.
 * Rejects an upload with another size. Reports its port to the parent process.
 */
import * as Http from "node:http"
import { Readable } from "node:stream"
import { fileBytes } from "./transferSize.js"

const block = Buffer.alloc(1024 * 1024, "effect-modelroute")

const sendJson = (response: Http.ServerResponse, value: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value))
}

const receiveFile = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  let received = 0
  request.on("data", (bytes: Buffer) => {
    received += bytes.length
  })
  request.on("end", () => response.writeHead(received === fileBytes ? 200 : 400).end())
}

const sendFile = (response: Http.ServerResponse): void => {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": fileBytes })
  Readable.from(Array<Buffer>(fileBytes / block.length).fill(block)).pipe(response)
}

const server = Http.createServer((request, response) => {
  const storage = `http://${request.headers.host}/storage`
  if (request.url === "/storage") {
    if (request.method === "PUT") receiveFile(request, response)
    else sendFile(response)
    return
  }
  request.resume().on("end", () => {
    sendJson(response, { file_id: "file_1", upload_url: storage, url: storage, size_bytes: fileBytes })
  })
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (address !== null && typeof address === "object") process.send?.(address.port)
})

process.on("disconnect", () => process.exit())
