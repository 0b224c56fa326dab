/**
 * Detects the content type of a file.
 *
 * @internal
 */

const latin1 = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length))

const riffTypes: Readonly<Record<string, string>> = { WEBP: "image/webp", WAVE: "audio/wav" }

/** Returns `true` for an MPEG frame of layer III. A frame starts with eleven set bits. */
const isMp3Frame = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0 && ((bytes[1] ?? 0) & 0x06) === 0x02

/** @internal Detects the content type from the first bytes of a file. Default: `application/octet-stream`. */
export const detectContentType = (bytes: Uint8Array): string => {
  const start = latin1(bytes, 0, 8)
  if (start === "\x89PNG\r\n\x1a\n") return "image/png"
  if (start.startsWith("\xff\xd8\xff")) return "image/jpeg"
  if (start.startsWith("GIF87a") || start.startsWith("GIF89a")) return "image/gif"
  if (start.startsWith("%PDF-")) return "application/pdf"
  if (start.slice(4) === "ftyp") return "video/mp4"
  if (start.startsWith("ID3") || isMp3Frame(bytes)) return "audio/mpeg"
  return (start.startsWith("RIFF") ? riffTypes[latin1(bytes, 8, 4)] : undefined) ?? "application/octet-stream"
}
