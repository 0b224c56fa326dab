/** Runs the scenarios in headless Chromium and prints the results. Usage: `chromium.mjs SERVER SETTINGS`. */
import { spawn, spawnSync } from "node:child_process"
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { createBrotliDecompress } from "node:zlib"

const [, , server, settings] = process.argv
const folder = mkdtempSync(join(tmpdir(), "chromium-"))
const decompress = (name, target) =>
  pipeline(
    createReadStream(join("node_modules/@sparticuz/chromium/bin", name)),
    createBrotliDecompress(),
    createWriteStream(join(folder, target), { mode: 0o700 })
  )

await Promise.all([decompress("chromium.br", "chromium"), decompress("al2023.tar.br", "libraries.tar")])
spawnSync("tar", ["-xf", join(folder, "libraries.tar"), "-C", folder])
const browser = spawn(
  join(folder, "chromium"),
  [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    // The API sends no CORS headers. A web application calls the API through its own server.
    "--disable-web-security",
    `--user-data-dir=${join(folder, "profile")}`,
    `${server}/#${encodeURIComponent(settings)}`
  ],
  { env: { ...process.env, LD_LIBRARY_PATH: join(folder, "lib") }, stdio: "ignore" }
)
const ended = new Promise((resolve, reject) => {
  browser.once("error", reject)
  browser.once("exit", (code) => reject(new Error(`Chromium ended with ${code}`)))
})
const results = await Promise.race([fetch(`${server}/results`).then((response) => response.text()), ended])
process.stdout.write(`results ${results}\n`)
ended.catch(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
browser.kill()
