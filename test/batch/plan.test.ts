/** Tests the next step of an item for each journal entry. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Either, Option } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { makePlan, permanentFields, type Plan, type PlanOptions } from "../../src/internal/batch/plan.js"
import type { JournalEntry, JournalStep } from "../../src/internal/batch/journalEntry.js"
import { completed, executionId, type Fields, makeEntry, callFields } from "../utils/journals.js"

const digest = "0123456789abcdef0123456789abcdef"
const body = { model: "flux-1.1-pro", input: {} }
const keyTtlMillis = 1000

const failure = new ModelRouteError.ExecutionCancelled({ ...callFields, executionId })

interface Case {
  readonly step: JournalStep
  readonly fields?: Fields
  /** Digest of the current request. Default: the digest of the entry. */
  readonly digest?: string
  /** Milliseconds after the submission. Default: 0. */
  readonly after?: number
  readonly shouldResubmit?: boolean
}

/** Returns the plan with the names of its fields that contain the entry, and the tags of its errors. */
const describePlan = (plan: Plan, entry: JournalEntry): object => {
  switch (plan._tag) {
    case "Submit": {
      const { replaced, resent, ...rest } = plan
      for (const each of [replaced, resent]) if (each !== undefined) assert.strictEqual(each, entry)
      return { ...rest, ...(replaced && { replaced: true }), ...(resent && { resent: true }) }
    }
    case "Await":
      assert.strictEqual(plan.entry, entry)
      return { _tag: "Await", executionId: plan.executionId }
    case "Replay":
      assert.strictEqual(plan.entry, entry)
      return {
        _tag: "Replay",
        result: Either.match(plan.result, { onLeft: ({ _tag }) => _tag, onRight: ({ status }) => status })
      }
    case "Reject":
      return { _tag: "Reject", error: plan.error._tag }
  }
}

const planFor = ({ after = 0, fields, shouldResubmit = false, step, ...rest }: Case) => {
  const entry = makeEntry("1", step, { digest, run: "earlier", ...fields })
  const asked: Array<string> = []
  const options: PlanOptions = {
    keyTtlMillis,
    runId: "current",
    shouldResubmit: ({ _tag }) => {
      asked.push(_tag)
      return shouldResubmit
    }
  }
  const now = DateTime.toEpochMillis(entry.submittedAt) + after
  return { entry, asked, plan: makePlan(Option.some(entry), rest.digest ?? digest, now, options) }
}

const resubmission = { _tag: "Submit", attempt: 2, replaced: true }
const rejectChanged = { _tag: "Reject", error: "InvalidRequest" }
const rejectUnknown = { _tag: "Reject", error: "SubmissionOutcomeUnknown" }
const awaitExecution = { _tag: "Await", executionId }
const replayFailure = { _tag: "Replay", result: "ExecutionCancelled" }
const replayCompleted = { _tag: "Replay", result: "COMPLETED" }

const changed = "changed"
const current = { run: "current" }
const failed = { executionId, error: failure }

describe("makePlan", () => {
  it("submits an item without an entry", () => {
    const options = { keyTtlMillis, runId: "current", shouldResubmit: () => true }
    assert.deepStrictEqual(makePlan(Option.none(), digest, 0, options), { _tag: "Submit", attempt: 1 })
  })

  const cases: ReadonlyArray<readonly [name: string, Case, expected: object, asked?: ReadonlyArray<string>]> = [
    [
      "submits a refused request again with the same key and body",
      { step: "Refused", fields: { body } },
      { ...resubmission, savedBody: body, idempotencyKey: "batch-Refused-1" }
    ],
    [
      "submits a refused request again with a new key after a 401 or 402",
      { step: "Refused", fields: { body, error: failure } },
      { ...resubmission, savedBody: body, idempotencyKey: undefined }
    ],
    ["submits a changed request after a refusal", { step: "Refused", fields: { body }, digest: changed }, resubmission],
    ["submits a new body after a refusal without a recorded body", { step: "Refused" }, resubmission],
    [
      "compares no request with an empty digest",
      { step: "Refused", fields: { body }, digest: "" },
      { ...resubmission, savedBody: body, idempotencyKey: "batch-Refused-1" }
    ],
    [
      "compares no request with an empty digest in the entry",
      { step: "Refused", fields: { body, digest: "" }, digest: changed },
      { ...resubmission, savedBody: body, idempotencyKey: "batch-Refused-1" }
    ],
    [
      "resends a submission before its key expires",
      { step: "Submitted", after: 999 },
      { _tag: "Submit", attempt: 1, resent: true }
    ],
    [
      "rejects a submission after its key has expired",
      { step: "Submitted", after: 1000 },
      rejectUnknown,
      ["SubmissionOutcomeUnknown"]
    ],
    [
      "submits an expired submission again if `resubmit` returns true",
      { step: "Submitted", after: 1000, shouldResubmit: true },
      resubmission,
      ["SubmissionOutcomeUnknown"]
    ],
    [
      "does not submit an expired submission of this run again",
      { step: "Submitted", after: 1000, shouldResubmit: true, fields: current },
      rejectUnknown
    ],
    ["rejects a changed request after a submission", { step: "Submitted", digest: changed }, rejectChanged],
    ["waits for an accepted execution", { step: "Accepted", fields: { executionId } }, awaitExecution],
    [
      "rejects a changed request of an accepted execution",
      { step: "Accepted", fields: { executionId }, digest: changed },
      rejectChanged
    ],
    ["rejects an accepted entry without an execution id", { step: "Accepted" }, rejectUnknown],
    [
      "waits again for an execution that was not found",
      { step: "Accepted", fields: failed },
      awaitExecution,
      ["ExecutionCancelled"]
    ],
    [
      "replaces an execution that was not found if `resubmit` returns true",
      { step: "Accepted", fields: failed, shouldResubmit: true },
      resubmission,
      ["ExecutionCancelled"]
    ],
    [
      "does not replace an execution that this run has not found",
      { step: "Accepted", fields: { ...failed, ...current }, shouldResubmit: true },
      awaitExecution
    ],
    [
      "rejects a changed request of an execution that was not found",
      { step: "Accepted", fields: failed, digest: changed },
      rejectChanged,
      ["ExecutionCancelled"]
    ]
  ]
  const endedCases = (step: "Ended" | "Delivered"): typeof cases => [
    [`returns the recorded failure of step ${step}`, { step, fields: failed }, replayFailure, ["ExecutionCancelled"]],
    [
      `submits a failed item of step ${step} again if \`resubmit\` returns true`,
      { step, fields: failed, shouldResubmit: true },
      resubmission,
      ["ExecutionCancelled"]
    ],
    [
      `returns the failure of step ${step} from this run again`,
      { step, fields: { ...failed, ...current }, shouldResubmit: true },
      replayFailure
    ],
    [
      `submits a changed request after a failure of step ${step}`,
      { step, fields: failed, digest: changed },
      resubmission
    ],
    [
      `rejects a changed request after a failure of step ${step} in this run`,
      { step, fields: { ...failed, ...current }, digest: changed },
      rejectChanged
    ],
    [`returns the completed execution of step ${step}`, { step, fields: { executionId, completed } }, replayCompleted],
    [
      `rejects a changed request for a completed execution of step ${step}`,
      { step, fields: { executionId, completed }, digest: changed, shouldResubmit: true },
      rejectChanged
    ]
  ]
  for (const [name, given, expected, asked = []] of [...cases, ...endedCases("Ended"), ...endedCases("Delivered")]) {
    it(name, () => {
      const { asked: actual, entry, plan } = planFor(given)
      assert.deepStrictEqual([describePlan(plan, entry), actual], [expected, asked])
    })
  }

  it("names the earlier submission in the error of a changed request", () => {
    const errorFor = (fields: Fields) => {
      const { plan } = planFor({ step: "Accepted", fields, digest: changed })
      return plan._tag === "Reject" ? plan.error : assert.fail()
    }
    const withId = errorFor({ executionId })
    assert.strictEqual(withId._tag === "InvalidRequest" && withId.field, "request")
    assert.strictEqual(withId.operation, "Batch.run")
    assert.include(withId.message, `(idempotency key batch-Accepted-1, execution ${executionId})`)
    assert.include(errorFor({}).message, "(idempotency key batch-Accepted-1)")
  })

  it("names the submission in the error of an unknown outcome", () => {
    const { entry, plan } = planFor({ step: "Submitted", after: 1000 })
    const error = plan._tag === "Reject" && plan.error._tag === "SubmissionOutcomeUnknown" ? plan.error : assert.fail()
    const { attempts, idempotencyKey, operation, submittedAt } = error
    assert.deepStrictEqual(
      { attempts, idempotencyKey, operation, submittedAt },
      { attempts: 0, idempotencyKey: "batch-Submitted-1", operation: "Batch.run", submittedAt: entry.submittedAt }
    )
  })
})

describe("permanentFields", () => {
  it("omits the body, the error and the completed execution", () => {
    const { attempt, digest, idempotencyKey, key, submittedAt, ...rest } = makeEntry("1", "Ended", {
      body,
      completed,
      error: failure,
      executionId,
      hold: "0.048",
      model: "flux-1.1-pro",
      run: "earlier"
    })
    assert.strictEqual(rest.run, "earlier")
    assert.deepStrictEqual(permanentFields(makeEntry("1", "Ended", { ...rest, attempt, digest })), {
      key,
      attempt,
      digest,
      idempotencyKey,
      submittedAt,
      executionId,
      model: "flux-1.1-pro",
      hold: "0.048"
    })
  })
})
