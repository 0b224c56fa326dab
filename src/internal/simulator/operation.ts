/**
 * Which operation of the API a method and a path name.
 */
import * as Data from "effect/Data"
import type { Request } from "./answer.js"

/** @internal */
export type ApiOperation =
  | "executions.create"
  | "executions.get"
  | "executions.result"
  | "executions.cancel"
  | "executions.list"
  | "files.download"
  | "files.url"

/**
 * An operation as the simulator records it: the client's name of the method, `storage.get` for a presigned download, and
 * `unknown` for anything that the API does not have.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = ApiOperation | "storage.get" | "unknown"

/** @internal */
export type Route = Data.TaggedEnum<{
  /** `id` is the segment of the path that names a resource, empty where there is none. */
  Api: { readonly operation: ApiOperation; readonly id: string }
  WrongMethod: { readonly allow: string }
  NotFound: {}
  Storage: { readonly fileId: string }
}>

/** @internal */
export const Route = Data.taggedEnum<Route>()

const api: ReadonlyArray<readonly [operation: ApiOperation, method: string, path: RegExp]> = [
  ["executions.create", "POST", /^\/v1\/executions$/],
  ["executions.list", "GET", /^\/v1\/executions$/],
  ["executions.get", "GET", /^\/v1\/executions\/([^/]+)$/],
  ["executions.result", "GET", /^\/v1\/executions\/([^/]+)\/result$/],
  ["executions.cancel", "POST", /^\/v1\/executions\/([^/]+)\/cancel$/],
  ["files.download", "GET", /^\/v1\/files\/([^/]+)\/download$/],
  ["files.url", "GET", /^\/v1\/files\/([^/]+)\/url$/]
]

/** @internal `storageBase` is what the URLs of the storage begin with. */
export const route = (request: Request, storageBase: string): Route => {
  const path = request.url.replace(/\?.*$/s, "")
  if (`${request.origin}${path}`.startsWith(`${storageBase}/`)) {
    return Route.Storage({ fileId: `${request.origin}${path}`.slice(`${storageBase}/files/`.length) })
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

/** @internal */
export const operation = (route: Route, method: string): Operation => {
  switch (route._tag) {
    case "Api":
      return route.operation
    case "Storage":
      return method === "GET" ? "storage.get" : "unknown"
    case "WrongMethod":
    case "NotFound":
      return "unknown"
  }
}
