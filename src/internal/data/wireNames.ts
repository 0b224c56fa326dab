/**
 * Renames the fields of the API's JSON to the field names of the models, for example `created_at` to `createdAt`.
 *
 * @internal
 */
import type { Json } from "./json.js"

/** @internal Converters between the fields of a model and the API's JSON. */
export interface WireNames {
  /** Returns the JSON with the field names of the model. Omits fields without a name in the model. */
  readonly toModel: (json: Json) => Json
  /** Returns the model with the field names of the API. Omits fields without a name in the API's JSON. */
  readonly toWire: (model: Json) => Json
  /** Returns the fields of the JSON that have no name in the model and that the decoder does not read. */
  readonly unknownFields: (json: Json) => Record<string, unknown>
}

const rename = (json: Json, pairs: ReadonlyArray<readonly [from: string, to: string]>): Json => {
  const renamed: Record<string, unknown> = {}
  for (const [from, to] of pairs) if (json[from] !== undefined) renamed[to] = json[from]
  return renamed
}

/** @internal Creates the converters of a model. */
export const make = (options: {
  /** The names of the fields. A key is the name in the model, and its value is the name in the API's JSON. */
  readonly names: { readonly [modelField: string]: string }
  /** The names of further JSON fields that the decoder of the model reads. Default: none. */
  readonly alsoRead?: ReadonlyArray<string>
}): WireNames => {
  const toWire = Object.entries(options.names)
  const toModel = toWire.map(([modelField, wireField]) => [wireField, modelField] as const)
  // Unknown fields exclude `__proto__`. Schemas copy these fields by assignment, and an assigned `__proto__` would
  // replace the prototype of the copy.
  const omitted = new Set(["__proto__", ...Object.values(options.names), ...(options.alsoRead ?? [])])
  return {
    toModel: (json) => rename(json, toModel),
    toWire: (model) => rename(model, toWire),
    unknownFields: (json) => {
      const unknown: Record<string, unknown> = {}
      for (const key of Object.keys(json)) if (!omitted.has(key)) unknown[key] = json[key]
      return unknown
    }
  }
}
