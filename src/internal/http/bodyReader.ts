/**
 * Reads the chunks of a response body. Supports Web streams and Node.js streams.
 *
 * @internal
 */
import type { NodeReadable, TransportBody } from "./transportBody.js"
import { isNodeReadable } from "./transportBody.js"

/** @internal The result of one read. `Break` means that the connection was lost. */
export type Read =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  | { readonly _tag: "Break"; readonly cause: unknown }

/** @internal Reader of one body. */
export interface BodyReader {
  /** Reads once and calls `onRead` with the result. Returns a function that cancels the read. */
  readonly next: (onRead: (read: Read) => void) => () => void
  /** Closes the connection, unless the whole body has been read. */
  readonly close: () => void
}

const ignore = (): void => {}

const openWebStream = (body: ReadableStream<Uint8Array>): BodyReader => {
  const reader = body.getReader()
  return {
    next: (onRead) => {
      let isCancelled = false
      const settle = (read: Read): void => {
        if (!isCancelled) onRead(read)
      }
      void reader.read().then(
        ({ done, value }) => settle(done ? { _tag: "End" } : { _tag: "Bytes", bytes: value }),
        (cause: unknown) => settle({ _tag: "Break", cause })
      )
      return () => {
        isCancelled = true
      }
    },
    close: () => void reader.cancel().catch(ignore)
  }
}

const openNodeReadable = (body: NodeReadable): BodyReader => {
  let end: Read | undefined
  let onChange = ignore
  const finish = (read: Read) => (): void => {
    end ??= read
    onChange()
  }
  const onReadable = (): void => onChange()
  const onEnd = finish({ _tag: "End" })
  const onClose = finish({ _tag: "Break", cause: new Error("the connection was closed") })
  const onError = (cause: unknown): void => finish({ _tag: "Break", cause })()
  if (body.destroyed) onClose()
  body.on("readable", onReadable)
  body.on("end", onEnd)
  body.on("error", onError)
  body.on("close", onClose)
  return {
    next: (onRead) => {
      const read = (): void => {
        const bytes = body.read()
        if (bytes === null && end === undefined) return
        onChange = ignore
        onRead(bytes === null ? (end ?? { _tag: "End" }) : { _tag: "Bytes", bytes })
      }
      onChange = read
      read()
      return () => {
        onChange = ignore
      }
    },
    close: () => {
      body.off("readable", onReadable)
      body.off("end", onEnd)
      body.off("error", onError)
      body.off("close", onClose)
      if (!body.readableEnded) body.destroy()
    }
  }
}

/** @internal Starts to read a body. The caller must close the reader. */
export const openBody = (body: TransportBody): BodyReader =>
  isNodeReadable(body) ? openNodeReadable(body) : openWebStream(body)
