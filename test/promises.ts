/**
 * Checks that the tests of the promises in `test/README.md` can fail. Copies the project to a temporary folder. Runs
 * each test with the unchanged source, and again after a one-line change of the source. Fails if a test fails without
 * the change, passes with the change, or if the table in `test/README.md` is outdated.
 *
 *     npm run test:promises [-- P1 P7]
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Schema } from "effect"

interface PromiseCheck {
  readonly id: string
  readonly promise: string
  readonly file: string
  readonly title: string
  /** File in `src/internal`, and the replaced part of one line. */
  readonly change: readonly [file: string, from: string, to: string]
}

const checks: ReadonlyArray<PromiseCheck> = [
  {
    id: "P1",
    promise: "A create request creates one execution, even if responses are lost, cut or delayed",
    file: "http/faults.test.ts",
    title: "executions.run creates exactly one execution",
    change: ["http/requests.ts", `"idempotency-key", options.key`, `"x-key", options.key`]
  },
  {
    id: "P2",
    promise: "Each error contains the idempotency key and the id with which the execution can be found",
    file: "executions/completion.test.ts",
    title: "run fails with an error that contains the idempotency key and the execution id",
    change: ["errors/classify.ts", "executionId: context.executionId,", ""]
  },
  {
    id: "P2",
    promise: "Each output of a COMPLETED execution reaches the caller",
    file: "executions/await.test.ts",
    title: "executions.await returns the output from",
    change: ["executions/decode.ts", "execution.output ?? execution.result", "execution.output"]
  },
  {
    id: "P3",
    promise: "The gate opens after the reset, with the latest time that the Date headers allow",
    file: "rateLimit/clockSkew.test.ts",
    title: "converts a reset to the latest local time within the bounds",
    change: ["rateLimit/clockSkew.ts", "serverMillis - skew.min", "serverMillis - skew.max"]
  },
  {
    id: "P3",
    promise: "No request is sent before the reset, with any headers and a clock skew of up to 10 minutes",
    file: "rateLimit/gate.properties.test.ts",
    title: "completes every request without a rejection in",
    change: ["rateLimit/clockSkew.ts", "serverMillis - skew.min", "serverMillis - skew.min - 2000"]
  },
  {
    id: "P4",
    promise: "Each wait is logged",
    file: "telemetry.test.ts",
    title: "logs the delay before each poll and each retry at level Debug",
    change: ["telemetry.ts", "logAnnotated(waitLogLevel(isPoll ? 0 : wait.millis), text, attributes)", "Effect.void"]
  },
  {
    id: "P4",
    promise: "Each wait for an execution ends",
    file: "executions/await.test.ts",
    title: "times out even if each response has a later expiry",
    change: ["executions/pollTransitions.ts", `Duration.toMillis("24 hours")`, `Duration.toMillis("48 hours")`]
  },
  {
    id: "P5",
    promise: "A client that receives the number of remaining requests causes no rejection",
    file: "RateLimitGate.test.ts",
    title: "prevents 429 responses of a client by default",
    change: ["rateLimit/limiter.ts", "const free = window.remaining - this.pending", "const free = window.remaining"]
  },
  {
    id: "P6",
    promise: "An attempt ends at its deadline",
    file: "http/attemptTimeout.test.ts",
    title: "ends each of several concurrent attempts at its own deadline",
    change: ["http/attemptTimeout.ts", "const at = deadline(now)", "const at = deadline(now) + 1"]
  },
  {
    id: "P7",
    promise: "An interruption leaves no timer, permit or fiber",
    file: "http/interruption.test.ts",
    title: "interruption of an effect within a time limit leaves no timer, permit or fiber",
    change: ["http/attemptTimeout.ts", "return () => cancel()", "return () => {}"]
  },
  {
    id: "P8",
    promise: "No error, log line, span or metric contains a secret or a prompt",
    file: "errors/secrets.test.ts",
    title: "contains no secret if executions.run fails with GenerationFailed",
    change: ["errors/redact.ts", "const masked = applyMask(text, mask, from)", "const masked = text"]
  },
  {
    id: "P8",
    promise: "Each response becomes a value or a declared error",
    file: "errors/classify.test.ts",
    title: "returns a ModelRouteError for every random response",
    change: ["errors/classify.ts", "code.trim().toUpperCase()", "code.repeat(-1)"]
  },
  {
    id: "P9",
    promise: "Unknown statuses, codes and fields remain usable",
    file: "executions/await.test.ts",
    title: "continues to poll while the execution status is undocumented",
    change: ["executions/decode.ts", `? text : "UNKNOWN"`, `? "COMPLETED" : "UNKNOWN"`]
  },
  {
    id: "P9",
    promise: "Undocumented fields of a response reach the caller",
    file: "executions/methods.test.ts",
    title: "executions.get omits fields of the response that have an invalid value",
    change: ["data/wireNames.ts", "if (!omitted.has(key)) unknown[key] = json[key]", "if (omitted.has(key)) break"]
  },
  {
    id: "P10",
    promise: "A batch records each step of an item before the step, so a killed batch can resume",
    file: "batch/resume.test.ts",
    title: "writes each step to the journal before the step takes effect",
    change: [
      "batch/submit.ts",
      "plan.resent === undefined ? context.write(prepared.entry) : Effect.void",
      "Effect.void"
    ]
  },
  {
    id: "P10",
    promise: "A batch that is killed and started again submits nothing twice and loses nothing",
    file: "batch/resume.test.ts",
    title: "keeps the idempotency key of an item whose create response was lost",
    change: ["batch/plan.ts", "attempt: entry.attempt, resent: entry", "attempt: entry.attempt + 1"]
  },
  {
    id: "P11",
    promise: "A delivery with the documented signature is accepted",
    file: "apiSamples.test.ts",
    title: "Webhook.verify accepts the test vector of webhooks/verification",
    change: ["webhooks/signature.ts", "message.set(body, prefix.length)", "message.set(body)"]
  },
  {
    id: "P11",
    promise: "A delivery is accepted only with the documented signature over its raw bytes",
    file: "Webhook.test.ts",
    title: "does not match after a change of any single bit of the delivery",
    change: ["webhooks/signature.ts", "return matches.includes(true)", "return true"]
  },
  {
    id: "P12",
    promise: "The storage host never receives the API key",
    file: "files/upload.test.ts",
    title: "requests an upload URL, sends the bytes, and confirms the upload",
    change: ["files/methods.ts", "upload.make(sender, storage)", "upload.make(sender, sender.client)"]
  },
  {
    id: "P12",
    promise: "A file that is too large is rejected before the first request",
    file: "files/upload.test.ts",
    title: "fails with FileTooLarge if the file exceeds 150 MiB or maxSize",
    change: ["files/uploadChecks.ts", "if (size <= maxSize) return", "return"]
  }
]

const code = (text: string): string => `\`${text}\``

const table = [
  "| Id | Promise | Test | Change that makes the test fail |",
  "| --- | --- | --- | --- |",
  ...checks.map(({ change: [file, from, to], file: test, id, promise, title }) => {
    const replacement = to === "" ? `remove ${code(from)}` : `${code(from)} to ${code(to)}`
    return `| ${id} | ${promise} | ${code(test)}: ${title} | In ${code(file)}, ${replacement} |`
  })
].join("\n")

const Report = Schema.parseJson(
  Schema.Struct({
    testResults: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        assertionResults: Schema.Array(
          Schema.Struct({
            fullName: Schema.String,
            status: Schema.String,
            failureMessages: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })
          })
        )
      })
    )
  })
)

const root = resolve(import.meta.dirname, "..")

interface TestResult {
  readonly status: string
  readonly failure: string
}

/** Runs the tests of these checks. Returns a function that returns the results of the tests of one check. */
const runTests = (copy: string, selected: ReadonlyArray<PromiseCheck>) => {
  const report = join(copy, "report.json")
  rmSync(report, { force: true })
  const files = new Set(selected.map(({ file }) => `test/${file}`))
  const pattern = selected.map(({ title }) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join("|")
  const vitest = join(root, "node_modules/vitest/vitest.mjs")
  const config = join(copy, "test/vitest.config.ts")
  const args = [vitest, "run", "--config", config, ...files, "-t", pattern, "--reporter=json"]
  spawnSync(process.execPath, [...args, `--outputFile=${report}`], { cwd: copy, stdio: "ignore" })
  const { testResults } = Schema.decodeUnknownSync(Report)(readFileSync(report, "utf8"))
  return ({ file, title }: PromiseCheck): ReadonlyArray<TestResult> =>
    testResults
      .filter(({ name }) => name.endsWith(`/test/${file}`))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ fullName, status }) => fullName.includes(title) && status !== "skipped" && status !== "pending")
      .map(({ failureMessages, status }) => ({ status, failure: failureMessages.join().split("\n")[0] ?? "" }))
}

const hasFailed = ({ status }: TestResult): boolean => status !== "passed"

/** Returns the problem of a check, or `undefined` if the test passes without the change and fails with the change. */
const findProblem = (copy: string, check: PromiseCheck, unchanged: ReadonlyArray<TestResult>): string | undefined => {
  const [file, from, to] = check.change
  const path = join(copy, "src/internal", file)
  const source = readFileSync(path, "utf8")
  if (source.split(from).length !== 2) return `${file} does not contain the changed text exactly once`
  if (unchanged.length === 0) return "no test has this title"
  const broken = unchanged.find(hasFailed)
  if (broken !== undefined) return `the test fails without the change: ${broken.failure}`
  writeFileSync(
    path,
    source.replace(from, () => to)
  )
  const failed = runTests(copy, [check])(check).find(hasFailed)
  writeFileSync(path, source)
  if (failed === undefined) return "the test passes with the change"
  process.stdout.write(`${check.id}  ${check.promise}\n    ${failed.failure.slice(0, 120)}\n`)
  return undefined
}

const copy = mkdtempSync(join(tmpdir(), "promises-"))
const ids = process.argv.slice(2)
try {
  for (const path of ["src", "test", "examples", "package.json", "tsconfig.json"]) {
    cpSync(join(root, path), join(copy, path), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  const selected = checks.filter(({ id }) => ids.length === 0 || ids.includes(id))
  const unchanged = selected.length === 0 ? () => [] : runTests(copy, selected)
  const problems = selected.flatMap((check) => {
    const problem = findProblem(copy, check, unchanged(check))
    return problem === undefined ? [] : [`${check.id}  ${check.promise}: ${problem}`]
  })
  const readme = readFileSync(join(root, "test/README.md"), "utf8").replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")
  if (!readme.includes(table)) problems.push(`test/README.md does not contain this table:\n${table}`)
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  rmSync(copy, { recursive: true, force: true })
}
