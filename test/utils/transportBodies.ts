/** Creates Web streams and Node.js streams as response bodies. */
import { Readable } from "node:stream"
import type { TransportBody } from "../../src/internal/http/transportBody.js"

export const chunk = (length: number): Uint8Array => new Uint8Array(length).fill(length)

export interface Source {
  readonly body: TransportBody
  /** Returns `true` after the reader has closed the body. */
  readonly isClosed: () => boolean
  readonly chunksRead: () => number
}

interface Content {
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly end: "ends" | "breaks" | "stays open"
}

const makeWebStream = ({ chunks, end }: Content): Source => {
  let next = 0
  let isClosed = false
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const value = chunks[next]
        if (value !== undefined) {
          next += 1
          controller.enqueue(value)
          return undefined
        }
        if (end === "ends") controller.close()
        if (end === "breaks") controller.error(new Error("reset"))
        return end === "stays open" ? new Promise<void>(() => {}) : undefined
      },
      cancel: () => {
        isClosed = true
      }
    },
    { highWaterMark: 0 }
  )
  return { body, isClosed: () => isClosed, chunksRead: () => next }
}

export const makeReadable = ({ chunks, end }: Content): Source => {
  let next = 0
  const body = new Readable({
    highWaterMark: 1,
    read() {
      const value = chunks[next]
      if (value !== undefined) {
        next += 1
        this.push(value)
      } else if (end === "ends") this.push(null)
      else if (end === "breaks") this.destroy(new Error("reset"))
    }
  })
  // The HTTP clients of `@effect/platform` also add an error listener.
  body.on("error", () => {})
  return { body, isClosed: () => body.destroyed, chunksRead: () => next }
}

/** The functions that create a body, with the type of the body. */
export const bodyForms = [
  ["a ReadableStream", makeWebStream],
  ["a Node.js Readable", makeReadable]
] as const
