/**
 * The content type of a file, by its first bytes.
 *
 * @internal
 */

const text = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length))

const riff: Readonly<Record<string, string>> = { WEBP: "image/webp", WAVE: "audio/wav" }

/** An MPEG frame begins with eleven bits that are set; layer III is what MP3 means. */
const isMp3Frame = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0 && ((bytes[1] ?? 0) & 0x06) === 0x02

/** @internal */
export const contentType = (bytes: Uint8Array): string => {
  const start = text(bytes, 0, 8)
  if (start === "\x89PNG\r\n\x1a\n") return "image/png"
  if (start.startsWith("\xff\xd8\xff")) return "image/jpeg"
  if (start.startsWith("GIF87a") || start.startsWith("GIF89a")) return "image/gif"
  if (start.startsWith("%PDF-")) return "application/pdf"
  if (start.slice(4) === "ftyp") return "video/mp4"
  if (start.startsWith("ID3") || isMp3Frame(bytes)) return "audio/mpeg"
  return (start.startsWith("RIFF") ? riff[text(bytes, 8, 4)] : undefined) ?? "application/octet-stream"
}
