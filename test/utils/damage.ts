/** What a power cut does to a journal: the last writes, which were done but not yet on the disk, are gone. */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"

/** Loses at most so many of the writes that were done since, and tells how many; of the oldest of them a share may be left. */
export type Lose = (most: number, share: number) => number

/** A directory of values: the last ones are left empty, of each item no more than the newest. */
export const loseFiles = (directory: string): Lose => {
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
      // A list holds the names of what was written after it.
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

// The format is that of https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html
const fileHeader = 32
const frameHeader = 24

/** Of `length` bytes, going on from a sum before. */
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
  /** Another one each time that the log begins anew. */
  readonly salt: string
  readonly frameSize: number
  /** The numbers, from 1, of the frames with which a transaction ends. Behind the last of them there may be old frames. */
  readonly commits: ReadonlyArray<number>
}

const logAt = (path: string): Log | undefined => {
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
 * A SQLite database in WAL mode: its log is cut within the last frame of a transaction. What may be in the database already is kept,
 * since then the log was on the disk before.
 */
export const loseTransactions = (database: string): Lose => {
  const [path, index] = [`${database}-wal`, `${database}-shm`]
  const before = logAt(path)
  return (most, share) => {
    const log = logAt(path)
    if (log === undefined || !existsSync(index)) return 0
    const old = before?.salt === log.salt ? (before.commits.at(-1) ?? 0) : 0
    // How many frames a checkpoint has begun to copy, in the byte order of this machine: the file is shared memory.
    const copied = readFileSync(index).readUInt32LE(128)
    const recent = log.commits.filter((frame) => frame > Math.max(old, copied))
    const lost = recent.slice(-most)
    const [first] = lost
    if (first === undefined) return 0
    truncateSync(path, fileHeader + (first - 1) * log.frameSize + Math.floor(share * log.frameSize))
    return lost.length
  }
}
