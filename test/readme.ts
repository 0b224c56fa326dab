/**
 * Writes the code blocks of README.md into a folder, each under the name behind its language: `tsx test/readme.ts FOLDER`.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const folder = process.argv[2] ?? "."
const blocks = readFileSync("README.md", "utf8").matchAll(/^```ts (\S+)\n(.*?)^```$/gms)
for (const [, name, code] of blocks)
  if (name !== undefined && code !== undefined) writeFileSync(join(folder, name), code)
