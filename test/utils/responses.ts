import type { ResponseData } from "../../src/internal/errors/classify.js"
import { start } from "./harness.js"

/** Returns a response that arrived at `start`. Encodes every body except a string as JSON. */
export const responseData = (status: number, body: unknown, headers: Record<string, string> = {}): ResponseData => ({
  status,
  headers,
  body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAt: start
})
