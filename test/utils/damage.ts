/** Removes the last writes of a journal, like a power failure before the writes reach the disk. */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"

/**
 * Function that removes at most `most` recent writes and returns the number of removed writes. A `share` of the oldest
 * removed write may remain.
 */
export type LoseWrites = (most: number, share: number) => number

/** Returns a function that empties the newest files of a directory, at most one per item. */
export const makeFileLoss = (directory: string): LoseWrites => {
  const files = () =>
    readdirSync(directory).map((name) => {
      const path = join(directory, name)
      const { mtimeNs, size } = statSync(path, { bigint: true })
      return { name, path, at: mtimeNs, size }
    })
  let since = 0n
  for (const { at } of files()) if (at > since) since = at
  return (most) => {
    const later = files().filter(({ at }) => at > since)
    later.sort((a, b) => (a.at > b.at ? -1 : 1))
    const items = new Set<string>()
    let lost = 0
    for (const { name, path, size } of later) {
      // A list must remain if a later item was emptied, because the list may contain the name of that item.
      const isList = /-n\d+$/.test(name)
      if (lost === most || (isList && items.size > 0)) break
      const item = name.replace(/-[01]$/, "")
      if (items.has(item)) continue
      items.add(item)
      if (size === 0n) continue
      truncateSync(path, 0)
      lost += 1
    }
    return lost
  }
}

// Format: https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html
const fileHeader = 32
const frameHeader = 24

/** Returns the checksum of `length` bytes, starting from an earlier checksum. */
const checksum = (
  bytes: DataView,
  from: number,
  length: number,
  isLittle: boolean,
  [a, b]: readonly [number, number]
): readonly [number, number] => {
  let [s0, s1] = [a, b]
  for (let at = from; at < from + length; at += 8) {
    s0 = (s0 + bytes.getUint32(at, isLittle) + s1) >>> 0
    s1 = (s1 + bytes.getUint32(at + 4, isLittle) + s0) >>> 0
  }
  return [s0, s1]
}

interface Log {
  /** Salt of the log. It changes when the log restarts. */
  readonly salt: string
  readonly frameSize: number
  /** Numbers, from 1, of the frames that end a transaction. Excludes frames of an earlier log. */
  readonly commits: ReadonlyArray<number>
}

const readLog = (path: string): Log | undefined => {
  const file = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  if (file.length < fileHeader) return undefined
  const log = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const isLittle = log.getUint32(0) === 0x377f0682
  const pageSize = log.getUint32(8)
  const frameSize = frameHeader + pageSize
  const salt = (at: number) => `${log.getUint32(at)} ${log.getUint32(at + 4)}`
  const commits: Array<number> = []
  let sum = checksum(log, 0, 24, isLittle, [0, 0])
  for (let n = 1; fileHeader + n * frameSize <= log.byteLength; n++) {
    const at = fileHeader + (n - 1) * frameSize
    if (salt(at + 8) !== salt(16)) break
    sum = checksum(log, at + frameHeader, pageSize, isLittle, checksum(log, at, 8, isLittle, sum))
    if (sum[0] !== log.getUint32(at + 16) || sum[1] !== log.getUint32(at + 20)) break
    if (log.getUint32(at + 4) !== 0) commits.push(n)
  }
  return { salt: salt(16), frameSize, commits }
}

/**
 * Returns a function that truncates the log of a SQLite database in WAL mode. The cut is within the last frame of a
 * transaction. Keeps frames that a checkpoint may have copied, because the log is on the disk before a checkpoint.
 */
export const makeTransactionLoss = (database: string): LoseWrites => {
  const [path, index] = [`${database}-wal`, `${database}-shm`]
  const before = readLog(path)
  return (most, share) => {
    const log = readLog(path)
    if (log === undefined || !existsSync(index)) return 0
    const old = before?.salt === log.salt ? (before.commits.at(-1) ?? 0) : 0
    // Number of frames that a checkpoint has started to copy. The bytes have the order of this machine, because the
    // file is shared memory.
    const copied = readFileSync(index).readUInt32LE(128)
    const recent = log.commits.filter((frame) => frame > Math.max(old, copied))
    const lost = recent.slice(-most)
    const [first] = lost
    if (first === undefined) return 0
    truncateSync(path, fileHeader + (first - 1) * log.frameSize + Math.floor(share * log.frameSize))
    return lost.length
  }
}
