/**
 * Stores and rotates the API keys of the simulator.
 *
 * @internal
 */
import type { Ids } from "../ids.js"

/** @internal */
export interface ApiKey {
  /** Id of the key. A rotation does not change the id. */
  readonly id: string
  readonly key: string
  /**
   * Time on Effect's `Clock` when the key expires after a rotation, in milliseconds. `undefined` if the key has not
   * been rotated.
   */
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
  /** Creates a new key. The previous key expires after one hour. Returns `undefined` if the id does not exist. */
  readonly rotate: (id: string, now: number) => Rotation | undefined
  /** Returns all keys in the order of creation. */
  readonly all: () => ReadonlyArray<ApiKey>
}

const rotationGraceMillis = 3_600_000

/** @internal Returns the store of API keys. If `keys` is `undefined`, every non-empty key is authorized. */
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
