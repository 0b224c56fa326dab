/**
 * Which operation of the API a method and a path name.
 */
import * as Data from "effect/Data"
import type { Head } from "./response.js"
import type { Place } from "../files/presignedUrl.js"
import * as Presigned from "../files/presignedUrl.js"

/** @internal */
export type ApiOperation =
  | "executions.create"
  | "executions.get"
  | "executions.result"
  | "executions.cancel"
  | "executions.list"
  | "files.upload"
  | "files.confirm"
  | "files.download"
  | "files.url"
  | "webhookEndpoints.create"
  | "webhookEndpoints.list"
  | "webhookEndpoints.update"
  | "webhookEndpoints.remove"
  | "webhookEndpoints.test"
  | "apiKeys.rotate"

/**
 * An operation as the simulator records it: the client's name of the method, or of the step of a method; `storage.get` and
 * `storage.put` for a presigned download and upload, and `unknown` for anything that the API does not have.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = ApiOperation | "storage.get" | "storage.put" | "unknown"

/** @internal */
export type Route = Data.TaggedEnum<{
  /** `id` is the segment of the path that names a resource, empty where there is none. */
  Api: { readonly operation: ApiOperation; readonly id: string }
  WrongMethod: { readonly allow: string }
  NotFound: {}
  Storage: Place
}>

/** @internal */
export const Route = Data.taggedEnum<Route>()

const api: ReadonlyArray<readonly [operation: ApiOperation, method: string, path: RegExp]> = [
  ["executions.create", "POST", /^\/v1\/executions$/],
  ["executions.list", "GET", /^\/v1\/executions$/],
  ["executions.get", "GET", /^\/v1\/executions\/([^/]+)$/],
  ["executions.result", "GET", /^\/v1\/executions\/([^/]+)\/result$/],
  ["executions.cancel", "POST", /^\/v1\/executions\/([^/]+)\/cancel$/],
  ["files.upload", "POST", /^\/v1\/files\/upload$/],
  ["files.confirm", "POST", /^\/v1\/files\/confirm$/],
  ["files.download", "GET", /^\/v1\/files\/([^/]+)\/download$/],
  ["files.url", "GET", /^\/v1\/files\/([^/]+)\/url$/],
  ["webhookEndpoints.create", "POST", /^\/v1\/webhooks\/endpoints$/],
  ["webhookEndpoints.list", "GET", /^\/v1\/webhooks\/endpoints$/],
  ["webhookEndpoints.update", "PATCH", /^\/v1\/webhooks\/endpoints\/([^/]+)$/],
  ["webhookEndpoints.remove", "DELETE", /^\/v1\/webhooks\/endpoints\/([^/]+)$/],
  ["webhookEndpoints.test", "POST", /^\/v1\/webhooks\/endpoints\/([^/]+)\/test$/],
  ["apiKeys.rotate", "POST", /^\/v1\/api-keys\/([^/]+)\/rotate$/]
]

const place = (path: string): Place => {
  const [, folder, fileId = ""] = /^([^/]+)\/([^/]+)$/.exec(path) ?? []
  const verbs = ["GET", "PUT"] as const
  return { verb: verbs.find((verb) => Presigned.folders[verb] === folder), fileId }
}

/** @internal `storageBase` is what the URLs of the storage begin with. */
export const route = (request: Head, storageBase: string): Route => {
  const path = request.url.replace(/\?.*$/s, "")
  if (`${request.origin}${path}`.startsWith(`${storageBase}/`)) {
    return Route.Storage(place(`${request.origin}${path}`.slice(storageBase.length + 1)))
  }
  const allowed = api.filter(([, , pattern]) => pattern.test(path))
  const found = allowed.find(([, method]) => method === request.method)
  if (found !== undefined) {
    const [operation, , pattern] = found
    return Route.Api({ operation, id: pattern.exec(path)?.[1] ?? "" })
  }
  return allowed.length > 0
    ? Route.WrongMethod({ allow: allowed.map(([, method]) => method).join(", ") })
    : Route.NotFound()
}

const stored: Readonly<Record<string, Operation>> = { GET: "storage.get", PUT: "storage.put" }

/** @internal */
export const operation = (route: Route, method: string): Operation => {
  switch (route._tag) {
    case "Api":
      return route.operation
    case "Storage":
      return stored[method] ?? "unknown"
    case "WrongMethod":
    case "NotFound":
      return "unknown"
  }
}
