/**
 * Runs the mutation tests of folders, for example `npm run mutation -- retry rateLimit`. Without folders, runs all folders. Fails if the score
 * of a folder is below its minimum. `--static` also tests mutants in code that runs only when a module loads. `--only` limits the mutants to
 * files or to lines of a file.
 */
import { readFileSync } from "node:fs"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { MutantResult } from "@stryker-mutator/api/core"
import { Stryker } from "@stryker-mutator/core"
import { equivalents } from "./equivalents.js"
import { type Folder, folders } from "./folders.js"

interface Options {
  readonly only: ReadonlyArray<string> | undefined
  readonly isStatic: boolean
}

/** A mutant that no test detects. */
interface Survivor {
  readonly file: string
  readonly line: number
  readonly source: string
  /** The mutated code on this line. */
  readonly original: string
  readonly replacement: string
}

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const runStryker = (name: string, folder: Folder, options: Options): Promise<ReadonlyArray<MutantResult>> => {
  // @effect-diagnostics-next-line processEnv:off
  process.env["MUTATION_TESTS"] = JSON.stringify(folder.tests)
  return new Stryker({
    mutate: [...(options.only ?? folder.mutate)],
    testRunner: "warm-vitest",
    plugins: [pathOf("runner.js"), pathOf("ignoreTexts.js")],
    ignorers: ["texts"],
    vitest: { configFile: "test/vitest.mutation.config.ts", related: false },
    ignorePatterns: [".docs", ".github", ".ci", "dist", "examples", "out", "test/bench"],
    tempDirName: "out/mutation/sandbox",
    // Stryker adapts this file with the API of TypeScript, which TypeScript 7 does not have. Vitest does not read this file.
    tsconfigFile: "none",
    disableTypeChecks: false,
    coverageAnalysis: "perTest",
    ignoreStatic: !options.isStatic,
    concurrency: 1,
    // A loaded machine must not turn a survivor into a timeout.
    timeoutMS: 60_000,
    timeoutFactor: 4,
    dryRunTimeoutMinutes: 20,
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: `out/mutation/${name}.json` },
    allowConsoleColors: false
  }).runMutationTest()
}

const linesOf = (() => {
  const cache = new Map<string, ReadonlyArray<string>>()
  return (file: string): ReadonlyArray<string> => {
    const lines = cache.get(file) ?? readFileSync(file, "utf8").split("\n")
    cache.set(file, lines)
    return lines
  }
})()

const toSurvivor = ({ fileName, location: { end, start }, replacement }: MutantResult): Survivor => {
  const source = linesOf(fileName)[start.line - 1] ?? ""
  return {
    file: relative(process.cwd(), fileName),
    line: start.line,
    source: source.trim(),
    original: source.slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined),
    replacement: (replacement ?? "").replaceAll(/\s+/g, " ")
  }
}

const isEquivalent = (survivor: Survivor): boolean =>
  equivalents.some(
    ({ file, original, replacement, source }) =>
      file === survivor.file &&
      source === survivor.source &&
      original === survivor.original &&
      replacement === survivor.replacement
  )

/** Prints the result of a folder. Returns whether the score is high enough. */
const report = (name: string, { minScore }: Folder, results: ReadonlyArray<MutantResult>): boolean => {
  const count = (...statuses: ReadonlyArray<MutantResult["status"]>) =>
    results.filter(({ status }) => statuses.includes(status)).length
  const undetected = results.filter(({ status }) => status === "Survived" || status === "NoCoverage").map(toSurvivor)
  const survivors = undetected.filter((survivor) => !isEquivalent(survivor))
  const detected = count("Killed", "Timeout")
  const score = (100 * detected) / Math.max(1, detected + survivors.length)
  for (const { file, line, original, replacement, source } of survivors) {
    print(`${file}:${line}\n  ${source}\n  - ${original}\n  + ${replacement}`)
  }
  print(
    `${name}: score ${score.toFixed(1)} %, ${detected} mutants detected (${count("Timeout")} by a timeout), ` +
      `${survivors.length} survived, ${undetected.length - survivors.length} equivalent, ${count("Ignored")} ignored`
  )
  return detected > 0 && score >= minScore
}

/** Runs the folders one after another. Returns whether all scores are high enough. */
const runFolders = async ([name, ...others]: ReadonlyArray<string>, options: Options): Promise<boolean> => {
  if (name === undefined) return true
  const folder = folders[name]
  if (folder === undefined) throw new Error(`${name} is not one of ${Object.keys(folders).join(", ")}.`)
  const isHighEnough = report(name, folder, await runStryker(name, folder, options))
  return (await runFolders(others, options)) && isHighEnough
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string", multiple: true }, static: { type: "boolean", default: false } }
})
const names = positionals.length > 0 ? positionals : Object.keys(folders)
if (!(await runFolders(names, { only: values.only, isStatic: values.static }))) process.exitCode = 1
