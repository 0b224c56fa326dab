/**
 * The simulator's API keys and their rotation.
 *
 * @internal
 */
import type { Ids } from "../ids.js"

/** @internal */
export interface ApiKey {
  /** Unchanged by a rotation. */
  readonly id: string
  readonly key: string
  /** The end of validity after a rotation, on the Clock. Undefined before a rotation. */
  readonly validUntil?: number
}

/** @internal */
export interface Rotation {
  readonly newKey: string
  readonly previousValidUntil: number
}

/** @internal */
export interface ApiKeys {
  readonly isAuthorized: (key: string, now: number) => boolean
  /** Returns undefined if the id does not exist. */
  readonly rotate: (id: string, now: number) => Rotation | undefined
  /** Returns all keys in the order of their creation. */
  readonly all: () => ReadonlyArray<ApiKey>
}

const rotationGraceMillis = 3_600_000

/** @internal Without `keys`, every key that is not empty is authorized. */
export const make = (ids: Ids, keys: ReadonlyArray<string> | undefined): ApiKeys => {
  const records: Array<ApiKey> = (keys ?? [ids.apiKey()]).map((key) => ({ id: ids.apiKeyId(), key }))
  return {
    isAuthorized: (key, now) =>
      key !== "" &&
      (keys === undefined || records.some((record) => record.key === key && now < (record.validUntil ?? Infinity))),
    rotate: (id, now) => {
      const index = records.findIndex((record) => record.id === id && record.validUntil === undefined)
      const previous = records[index]
      if (previous === undefined) {
        return undefined
      }
      const newKey = ids.apiKey()
      const validUntil = now + rotationGraceMillis
      records[index] = { ...previous, validUntil }
      records.push({ id, key: newKey })
      return { newKey, previousValidUntil: validUntil }
    },
    all: () => [...records]
  }
}
