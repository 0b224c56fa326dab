/**
 * Provides a minimal ModelRoute API with storage. Keeps a ledger of everything that it executed. Shares no code with the
 * simulator of the library.
 */
import type { ApiResponse, RequestHead } from "./http.js"

export type Endpoint =
  | "create"
  | "get"
  | "result"
  | "cancel"
  | "ticket"
  | "put"
  | "confirm"
  | "link"
  | "storage"
  | "url"
  | "createEndpoint"
  | "listEndpoints"
  | "updateEndpoint"
  | "removeEndpoint"
  | "testEndpoint"
  | "rotate"
  | "readOther"
  | "createOther"
  | "unknown"

/** Everything that the API has received and executed. */
export interface Ledger {
  /** Ids of the executions by idempotency key. A create without a key has an entry of its own. */
  readonly executions: Map<string, string>
  /** Key and body of each create, in the order of execution. */
  readonly creates: Array<{ readonly key: string | undefined; readonly body: string }>
  /** Number of requests that the API has executed. */
  readonly executed: Map<Endpoint, number>
  /** Number of objects that requests without an idempotency key have created. */
  created: number
  /** Sizes of the stored files by id. */
  readonly files: Map<string, number>
  readonly confirmed: Set<string>
  isEndpointRemoved: boolean
}

export const countOf = (counts: ReadonlyMap<Endpoint, number>, endpoint: Endpoint): number => counts.get(endpoint) ?? 0

/** Secrets of the API. No error and no log line contains them. */
export const secrets = {
  signature: "canarysignature0123456789",
  newKey: "sk_canarynewkey0123456789",
  webhook: "whsec_canary0123456789"
}

/** File for downloads, with 64 KiB. */
export const file: Buffer = Buffer.alloc(65_536, "0123456789abcde")

const routes: ReadonlyArray<readonly [RegExp, Endpoint]> = [
  [/^POST \/v1\/executions$/, "create"],
  [/^GET \/v1\/executions\/exec_1$/, "get"],
  [/^GET \/v1\/executions\/exec_1\/result$/, "result"],
  [/^POST \/v1\/executions\/exec_1\/cancel$/, "cancel"],
  [/^POST \/v1\/files\/upload$/, "ticket"],
  [/^PUT \/uploads\/file_1\?/, "put"],
  [/^POST \/v1\/files\/confirm$/, "confirm"],
  [/^GET \/v1\/files\/file_1\/download$/, "link"],
  [/^GET \/files\/file_1\?/, "storage"],
  [/^GET \/v1\/files\/file_1\/url$/, "url"],
  [/^POST \/v1\/webhooks\/endpoints$/, "createEndpoint"],
  [/^GET \/v1\/webhooks\/endpoints$/, "listEndpoints"],
  [/^PATCH \/v1\/webhooks\/endpoints\/wh_1$/, "updateEndpoint"],
  [/^DELETE \/v1\/webhooks\/endpoints\/wh_1$/, "removeEndpoint"],
  [/^POST \/v1\/webhooks\/endpoints\/wh_1\/test$/, "testEndpoint"],
  [/^POST \/v1\/api-keys\/key_1\/rotate$/, "rotate"],
  [/^GET \/v1\/other$/, "readOther"],
  [/^POST \/v1\/other$/, "createOther"]
]

export const endpointOf = ({ method, path }: RequestHead): Endpoint =>
  routes.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1] ?? "unknown"

const json = (status: number, value: unknown): ApiResponse => ({
  status,
  headers: { "content-type": "application/json" },
  body: Buffer.from(JSON.stringify(value))
})

const failure = (status: number, code: string): ApiResponse =>
  json(status, { error: { code, message: code, retryable: false } })

/** Completed execution in the form of `GET /v1/executions/{id}`. */
export const completed = { id: "exec_1", status: "COMPLETED", output: { images: [{ file_id: "file_1" }] } }

const endpoint = {
  id: "wh_1",
  url: "https://app.example/hook",
  events: ["execution.completed"],
  is_active: true
}

const expiry = "2100-01-01T00:00:00Z"

/** Executes a request completely. */
type Handler = (head: RequestHead, body: Buffer) => ApiResponse

const isLink = (path: string): boolean => path.endsWith(secrets.signature)

/** Serves the file, or the rest of the file after the start of the requested range. */
const serveFile: Handler = ({ headers, path }) => {
  if (!isLink(path)) return { status: 403, headers: {}, body: Buffer.from("<Error/>") }
  const [, start] = /^bytes=(\d+)-$/.exec(headers["range"] ?? "") ?? []
  const base = { "content-type": "image/png", etag: '"v1"' }
  if (start === undefined) return { status: 200, headers: base, body: file }
  const range = { ...base, "content-range": `bytes ${start}-${file.length - 1}/${file.length}` }
  return { status: 206, headers: range, body: file.subarray(Number(start)) }
}

const makeHandlers = (ledger: Ledger, origin: () => string): { readonly [E in Endpoint]: Handler } => {
  const create: Handler = ({ headers }, body) => {
    const key = headers["idempotency-key"]
    ledger.creates.push({ key, body: body.toString() })
    const entry = key ?? `without key ${ledger.creates.length}`
    const id = ledger.executions.get(entry) ?? `exec_${ledger.executions.size + 1}`
    ledger.executions.set(entry, id)
    return json(202, { id, status: "PENDING", model: "flux-1.1-pro" })
  }
  const createObject =
    (response: ApiResponse): Handler =>
    () => {
      ledger.created += 1
      return response
    }
  const storedLink = (): ApiResponse => {
    const url = `${origin()}/files/file_1?X-Amz-Signature=${secrets.signature}`
    return json(200, { url, expires_at: expiry, content_type: "image/png", size_bytes: file.length })
  }
  return {
    create,
    get: () => json(200, completed),
    result: () => json(200, { execution_id: "exec_1", status: "COMPLETED", output: completed.output, cost: "0.040" }),
    cancel: () => json(200, { id: "exec_1", status: "CANCELLED" }),
    ticket: () => {
      const url = `${origin()}/uploads/file_1?X-Amz-Signature=${secrets.signature}`
      return json(200, { file_id: "file_1", upload_url: url, expires_at: expiry })
    },
    put: ({ path }, body) => {
      if (!isLink(path)) return { status: 403, headers: {}, body: Buffer.from("<Error/>") }
      ledger.files.set("file_1", body.length)
      return { status: 200, headers: { "content-type": "application/xml" }, body: Buffer.from("<Stored></Stored>") }
    },
    confirm: () => {
      if (!ledger.files.has("file_1")) return failure(400, "FILE_NOT_FOUND")
      if (ledger.confirmed.has("file_1")) return failure(409, "ALREADY_CONFIRMED")
      ledger.confirmed.add("file_1")
      return json(200, { file_id: "file_1", size_bytes: ledger.files.get("file_1") })
    },
    link: storedLink,
    storage: serveFile,
    url: storedLink,
    createEndpoint: createObject(json(201, { ...endpoint, secret: secrets.webhook })),
    listEndpoints: () => json(200, { endpoints: [endpoint] }),
    updateEndpoint: () => json(200, { ...endpoint, description: "new" }),
    removeEndpoint: () => {
      if (ledger.isEndpointRemoved) return failure(404, "ENDPOINT_NOT_FOUND")
      ledger.isEndpointRemoved = true
      return json(200, { id: "wh_1", deleted: true })
    },
    testEndpoint: () => json(200, { delivered: true }),
    rotate: createObject(json(200, { id: "key_1", new_key: secrets.newKey, previous_key_valid_until: expiry })),
    readOther: () => json(200, { models: [] }),
    createOther: (head, body) =>
      head.headers["idempotency-key"] === undefined
        ? createObject(json(201, { id: "other_1" }))(head, body)
        : create(head, body),
    unknown: () => failure(404, "NOT_FOUND")
  }
}

export interface Api {
  readonly ledger: Ledger
  readonly execute: (head: RequestHead, body: Buffer) => ApiResponse
}

/** Creates an API with an empty ledger. `origin` returns the origin of the links. */
export const makeApi = (origin: () => string): Api => {
  const ledger: Ledger = {
    executions: new Map(),
    creates: [],
    executed: new Map(),
    created: 0,
    files: new Map(),
    confirmed: new Set(),
    isEndpointRemoved: false
  }
  const handlers = makeHandlers(ledger, origin)
  return {
    ledger,
    execute: (head, body) => {
      const endpoint = endpointOf(head)
      const isPublic = endpoint === "put" || endpoint === "storage"
      if (!isPublic && head.headers["authorization"] === undefined) return failure(401, "UNAUTHORIZED")
      ledger.executed.set(endpoint, countOf(ledger.executed, endpoint) + 1)
      return handlers[endpoint](head, body)
    }
  }
}
