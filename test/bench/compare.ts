/**
 * Compares the cost of this package with plain clients and with other API clients. The package is built first, because
 * users run the built files. Compare the ratios, because the absolute values depend on the machine.
 *
 *     npm run bench [-- --rounds 5 --group calls --save ratios.json]
 *     npm run bench:check
 *
 * `bench:check` fails if a ratio of memory has grown by more than a fifth since it was saved.
 */
import { fork } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { type Figure, type Group, type Ratio, ratiosOf } from "./compare/figure.js"
import { groups } from "./compare/groups.js"

const print = (line = ""): boolean => process.stdout.write(`${line}\n`)

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    group: { type: "string", multiple: true, default: groups.map(({ name }) => name) },
    save: { type: "string" },
    check: { type: "string" },
    measure: { type: "string" }
  }
})

const rounds = Number(options.rounds)

/** Measures a group in a child process, because the groups need different flags and a clean heap. */
const measureInChild = (group: Group): Promise<ReadonlyArray<Figure>> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ["--measure", group.name, "--rounds", options.rounds], {
      execArgv: [...process.execArgv, "--expose-gc", ...(group.nodeFlags ?? [])]
    })
    let figures: ReadonlyArray<Figure> | undefined
    child.on("message", (message: ReadonlyArray<Figure>) => {
      figures = message
    })
    child.on("exit", (code) =>
      figures === undefined ? reject(new Error(`${group.name} ended with ${String(code)}`)) : resolve(figures)
    )
  })

const formatValue = ({ unit, value }: Figure): string => `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`

const printGroup = (figures: ReadonlyArray<Figure>, ratios: ReadonlyArray<Ratio>): void => {
  for (const row of new Set(figures.map((figure) => figure.row))) {
    print(`\n${row}`)
    for (const figure of figures.filter((each) => each.row === row)) {
      const compared = ratios
        .filter((each) => each.row === row && each.contestant === figure.contestant)
        .map(({ peer, ratio }) => `${ratio.toFixed(2)} of ${peer}`)
      print(`  ${figure.contestant.padEnd(44)} ${formatValue(figure).padStart(12)}   ${compared.join(", ")}`)
    }
  }
}

const keyOf = ({ contestant, peer, row }: Ratio): string => `${row} | ${contestant} / ${peer}`

/**
 * Returns `true` for ratios of memory to a contestant that uses Effect. Memory depends little on the machine. Clients
 * without Effect allocate so little that their ratios vary by a fifth.
 */
const isChecked = (key: string): boolean => /allocated|heap/.test(key) && / \/ (HttpClient|Effect)/.test(key)

/** Returns the saved ratios of memory that have grown by more than a fifth or were not measured. */
const findRegressions = (
  ratios: ReadonlyArray<Ratio>,
  saved: { readonly [key: string]: number }
): ReadonlyArray<string> => {
  const measured = new Map(ratios.map((each) => [keyOf(each), each.ratio]))
  return Object.entries(saved).flatMap(([key, before]) => {
    const now = measured.get(key)
    if (now === undefined) return [`${key}: not measured`]
    return now > before * 1.2 ? [`${key}: ${before.toFixed(2)} before, ${now.toFixed(2)} now`] : []
  })
}

const main = async (): Promise<void> => {
  print(
    `Node.js ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}; median of ${rounds} rounds`
  )
  const selected = groups.filter(({ name }) => options.group.includes(name))
  const measured = Effect.forEach(selected, (group) =>
    Effect.map(
      Effect.promise(() => measureInChild(group)),
      (figures) => {
        const ratios = ratiosOf(figures, group.ratios)
        printGroup(figures, ratios)
        return ratios
      }
    )
  )
  const all = (await Effect.runPromise(measured)).flat()
  if (options.save !== undefined) {
    const saved = Object.fromEntries(
      all.map((each) => [keyOf(each), Number(each.ratio.toFixed(3))] as const).filter(([key]) => isChecked(key))
    )
    await writeFile(options.save, `${JSON.stringify(saved, null, 2)}\n`)
  }
  if (options.check !== undefined) {
    const saved: { readonly [key: string]: number } = JSON.parse(await readFile(options.check, "utf8"))
    const regressions = findRegressions(all, saved)
    print(regressions.length === 0 ? "\nNo ratio has grown." : `\nGrown ratios:\n${regressions.join("\n")}`)
    if (regressions.length > 0) process.exitCode = 1
  }
}

if (options.measure === undefined) {
  await main()
} else {
  const group = groups.find(({ name }) => name === options.measure)
  const figures = await group?.measure(rounds)
  process.send?.(figures ?? [], () => process.exit())
}
