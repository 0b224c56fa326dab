/**
 * The API keys: who comes in, and with what after a rotation.
 *
 * @internal
 */
import type { Ids } from "../ids.js"

/** @internal */
export interface ApiKey {
  /** The same before and after a rotation. */
  readonly id: string
  readonly key: string
  /** On the Clock; undefined as long as it has not been rotated. */
  readonly validUntil?: number
}

/** @internal */
export interface ApiKeys {
  readonly lets: (key: string, now: number) => boolean
  /** Undefined for an id that does not exist. */
  readonly rotate: (
    id: string,
    now: number
  ) => { readonly newKey: string; readonly previousValidUntil: number } | undefined
  /** In the order in which they were made. */
  readonly all: () => ReadonlyArray<ApiKey>
}

const hour = 3_600_000

/** @internal Without `keys`, anything is one that is not empty. */
export const make = (ids: Ids, keys: ReadonlyArray<string> | undefined): ApiKeys => {
  const records: Array<ApiKey> = (keys ?? [ids.apiKey()]).map((key) => ({ id: ids.apiKeyId(), key }))
  return {
    lets: (key, now) =>
      key !== "" &&
      (keys === undefined || records.some((record) => record.key === key && now < (record.validUntil ?? Infinity))),
    rotate: (id, now) => {
      const at = records.findIndex((record) => record.id === id && record.validUntil === undefined)
      const previous = records[at]
      if (previous === undefined) {
        return undefined
      }
      const newKey = ids.apiKey()
      const validUntil = now + hour
      records[at] = { ...previous, validUntil }
      records.push({ id, key: newKey })
      return { newKey, previousValidUntil: validUntil }
    },
    all: () => [...records]
  }
}
