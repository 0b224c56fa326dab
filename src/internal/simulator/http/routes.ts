/**
 * Maps the method and path of a request to an operation.
 */
import * as Data from "effect/Data"
import * as PresignedUrl from "../files/presignedUrl.js"
import type { RequestHead } from "./request.js"

/**
 * The operation of a request. An operation has the name of the client method that sends the request, or of one step of
 * this method. `storage.get` is a download from a presigned URL. `storage.put` is an upload to a presigned URL.
 * `unknown` is a request that the API does not define.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation =
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
  | "storage.get"
  | "storage.put"
  | "unknown"

/** @internal */
export type ApiOperation = Exclude<Operation, "storage.get" | "storage.put" | "unknown">

/** @internal */
export type Route = Data.TaggedEnum<{
  /** `id` is the resource id in the path. Empty if the path has no id. */
  Api: { readonly operation: ApiOperation; readonly id: string }
  WrongMethod: { readonly allow: string }
  NotFound: {}
  Storage: PresignedUrl.StoragePath
}>

/** @internal */
export const Route = Data.taggedEnum<Route>()

const apiRoutes: ReadonlyArray<readonly [operation: ApiOperation, method: string, path: RegExp]> = [
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

const parseStoragePath = (path: string): PresignedUrl.StoragePath => {
  const [, folder, fileId = ""] = /^([^/]+)\/([^/]+)$/.exec(path) ?? []
  const methods = ["GET", "PUT"] as const
  return { method: methods.find((method) => PresignedUrl.folders[method] === folder), fileId }
}

/** @internal Returns the route of a request. A URL that starts with `storageBase` has a storage route. */
export const matchRoute = (request: RequestHead, storageBase: string): Route => {
  const path = request.url.replace(/\?.*$/s, "")
  if (`${request.origin}${path}`.startsWith(`${storageBase}/`)) {
    return Route.Storage(parseStoragePath(`${request.origin}${path}`.slice(storageBase.length + 1)))
  }
  const samePath = apiRoutes.filter(([, , pattern]) => pattern.test(path))
  const match = samePath.find(([, method]) => method === request.method)
  if (match !== undefined) {
    const [operation, , pattern] = match
    return Route.Api({ operation, id: pattern.exec(path)?.[1] ?? "" })
  }
  return samePath.length > 0
    ? Route.WrongMethod({ allow: samePath.map(([, method]) => method).join(", ") })
    : Route.NotFound()
}

const storageOperations: Readonly<Record<string, Operation>> = { GET: "storage.get", PUT: "storage.put" }

/** @internal Returns the operation of a route. Returns `unknown` if the API does not define the request. */
export const toOperation = (route: Route, method: string): Operation => {
  switch (route._tag) {
    case "Api":
      return route.operation
    case "Storage":
      return storageOperations[method] ?? "unknown"
    case "WrongMethod":
    case "NotFound":
      return "unknown"
  }
}
