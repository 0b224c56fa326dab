/**
 * Converts the field names of the API's JSON to the field names of the models.
 *
 * @internal
 */
import type { Json } from "./json.js"

/** @internal Converters between the fields of a model and the API's JSON. */
export interface WireNames {
  /** Returns the fields of the model. Omits all other fields of the JSON. */
  readonly toModel: (json: Json) => Json
  /** Returns the API's JSON. Omits all other fields of the model. */
  readonly toWire: (model: Json) => Json
  /** Returns the fields of the JSON that the model does not contain. */
  readonly unknownFields: (json: Json) => Record<string, unknown>
}

const rename = (json: Json, pairs: ReadonlyArray<readonly [from: string, to: string]>): Json => {
  const renamed: Record<string, unknown> = {}
  for (const [from, to] of pairs) if (json[from] !== undefined) renamed[to] = json[from]
  return renamed
}

/** @internal Creates the converters of a model. */
export const make = (options: {
  /** The name of each field in the API's JSON, by its name in the model. */
  readonly names: { readonly [modelField: string]: string }
  /** Additional JSON fields that the decoder of the model reads. Default: none. */
  readonly alsoRead?: ReadonlyArray<string>
}): WireNames => {
  const toWire = Object.entries(options.names)
  const toModel = toWire.map(([modelField, wireField]) => [wireField, modelField] as const)
  // Schemas copy fields by assignment, and an assigned `__proto__` would replace the prototype.
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
