/**
 * Writes each code example of the documentation to a module in a folder. The info string of a code block in
 * `README.md`, `examples/README.md` or `examples/durable/OTHER_ENGINES.md` contains the file name. The file name of an
 * example in a docstring is `example-<module>-<number>.ts`.
 *
 *     tsx test/snippets.ts FOLDER
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const folder = process.argv[2] ?? "."

for (const path of ["README.md", "examples/README.md", "examples/durable/OTHER_ENGINES.md"]) {
  for (const [, name, code] of readFileSync(path, "utf8").matchAll(/^```ts (\S+)\n(.*?)^```$/gms)) {
    if (name !== undefined && code !== undefined) writeFileSync(join(folder, name), code)
  }
}

for (const path of readdirSync("src", { encoding: "utf8", recursive: true }).filter((file) => file.endsWith(".ts"))) {
  const examples = readFileSync(join("src", path), "utf8").matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)
  for (const [index, [, lines = ""]] of [...examples].entries()) {
    const name = `example-${path.replace(/\.ts$/, "").replaceAll(/[/\\]/g, "-")}-${index + 1}.ts`
    writeFileSync(join(folder, name), lines.replaceAll(/^ *\* ?/gm, ""))
  }
}
