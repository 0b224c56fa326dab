/** Loads each entry of the package with `require`. */
const { readdirSync } = require("node:fs")

const entries = readdirSync("node_modules/effect-modelroute/dist").filter((file) => /^\w+\.js$/.test(file))
for (const entry of entries) {
  const path = entry === "index.js" ? "effect-modelroute" : `effect-modelroute/${entry.slice(0, -3)}`
  if (Object.keys(require(path)).length === 0) throw new Error(`${path} has no exports`)
}
process.stdout.write(`${process.version} requires ${entries.length} entries\n`)
