/** Lists the mutants that no test can or should detect. The command does not count them. */

/** A mutant that behaves like the original code, or that changes nothing that callers rely on. */
export interface Equivalent {
  readonly file: string
  /** The line of the original code, without indentation. */
  readonly source: string
  /** The part of the line that the mutant replaces. */
  readonly original: string
  readonly replacement: string
  readonly reason: string
}

export const equivalents: ReadonlyArray<Equivalent> = [
  {
    file: "src/internal/retry/httpDate.ts",
    source: "if (text === lastDate.text) return lastDate.millis",
    original: "text === lastDate.text",
    replacement: "false",
    reason: "The memory of the last date saves time, but does not change the result."
  },
  {
    file: "src/internal/retry/httpDate.ts",
    source: "if (/\\d{4}/.test(text)) lastDate = { text, millis }",
    original: "{ text, millis }",
    replacement: "{}",
    reason: "The memory of the last date saves time, but does not change the result."
  },
  {
    file: "src/internal/retry/httpDate.ts",
    source:
      'const midnight = Date.UTC(fullYear(groups["year"] ?? "", now), months.indexOf(groups["month"] ?? ""), day)',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Every format contains a year and a month. The types do not contain this fact."
  },
  {
    file: "src/internal/retry/rateLimitHeaders.ts",
    source: 'headers["date"] === undefined ? undefined : parseHttpDate(headers["date"], receivedAt)',
    original: 'headers["date"] === undefined',
    replacement: "false",
    reason: "A missing header is not a date either."
  },
  {
    file: "src/internal/retry/rateLimitHeaders.ts",
    source: "const date = text === undefined ? undefined : parseHttpDate(text, wall)",
    original: "text === undefined",
    replacement: "false",
    reason: "A missing header is not a date either."
  },
  {
    file: "src/internal/retry/rateLimitHeaders.ts",
    source: "const seconds = text !== undefined && /^[\\d., ]+$/.test(text) ? (largest(parseNumbers(text)) ?? 0) : 0",
    original: "text !== undefined",
    replacement: "true",
    reason: "A missing header contains no digits either."
  },
  {
    file: "src/internal/retry/retryRules.ts",
    source: '"retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : undefined',
    original: '"retryAfter" in error && error.retryAfter !== undefined',
    replacement: '"retryAfter" in error || error.retryAfter !== undefined',
    reason: "The first condition only narrows the type. An error without the field has the value undefined."
  },
  {
    file: "src/internal/retry/retryRules.ts",
    source: '"retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : undefined',
    original: "error.retryAfter !== undefined",
    replacement: "true",
    reason: "An error with the field never has the value undefined."
  },
  {
    file: "src/RetryPolicy.ts",
    source: 'maxWaitMillis: orThrow(checkRateLimit.duration("maxWait", maxWait ?? "2 minutes", "zero")),',
    original: '"zero"',
    replacement: '""',
    reason: 'Only "above zero" changes the check.'
  },
  {
    file: "src/internal/rateLimit/fairQueue.ts",
    source: "if (next !== undefined) this.remove(next)",
    original: "next !== undefined",
    replacement: "true",
    reason: "`remove` ignores a value that is not in the queue."
  },
  {
    file: "src/internal/rateLimit/fallbackRules.ts",
    source: "if (this.allowance !== undefined && this.accepted >= this.concurrentUpTo + this.allowance) {",
    original: "this.allowance !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined allowance is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "if (window === undefined || Window.isRemainingUnknown(window)) {",
    original: "window === undefined",
    replacement: "false",
    reason: "`isRemainingUnknown` returns true for an undefined window. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "if (opensAt !== undefined && now >= opensAt) return this.probeCapacity(now)",
    original: "opensAt !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "while (this.orphans[0] !== undefined && this.orphans[0] <= now) {",
    original: "this.orphans[0] !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "const isProbe = Window.isRemainingUnknown(window) || (opensAt !== undefined && now >= opensAt)",
    original: "opensAt !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "return at !== undefined && rejection.isUsable(at, now) ? at : undefined",
    original: "at !== undefined",
    replacement: "true",
    reason: "`isUsable` returns false for an undefined time. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source:
      "if (this.window !== undefined && (isUnknown || retryAt === undefined)) this.window = Window.exhaust(this.window)",
    original: "this.window !== undefined",
    replacement: "true",
    reason: "`applyToWindow` always sets the window. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "this.windowCount += 1",
    original: "this.windowCount += 1",
    replacement: "this.windowCount -= 1",
    reason: "The count is only compared for equality."
  },
  {
    file: "src/internal/rateLimit/limiter.ts",
    source: "if (Window.isRemainingUnknown(window)) this.fallback.startWindow()",
    original: "Window.isRemainingUnknown(window)",
    replacement: "true",
    reason: "The number of accepted requests is only used while the number of remaining requests is unknown."
  },
  {
    file: "src/internal/rateLimit/otherClients.ts",
    source: "window.limit !== undefined && window.limit - window.remaining > window.ownRequests",
    original: "window.limit !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined limit is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/window.ts",
    source: "const hasMore = remaining !== undefined && remaining > window.remaining",
    original: "remaining !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined number is false. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/window.ts",
    source: 'if (later > 0) return "newer"',
    original: "later > 0",
    replacement: "later >= 0",
    reason: "The line before handles equal resets."
  },
  {
    file: "src/internal/rateLimit/window.ts",
    source:
      "reset: reset?.clock === window.reset?.clock && (reset?.at ?? 0) > (window.reset?.at ?? 0) ? reset : window.reset",
    original: "(reset?.at ?? 0) > (window.reset?.at ?? 0)",
    replacement: "(reset?.at ?? 0) >= (window.reset?.at ?? 0)",
    reason: "Two resets on the same clock at the same time are equal."
  },
  {
    file: "src/Webhook.ts",
    source: 'secrets: Either.getOrElse(readSecrets("Webhook.handler", "secrets", options.secrets), () => [])',
    original: '"Webhook.handler"',
    replacement: '""',
    reason: "The error of these secrets is not used. `verify` reports the error for each delivery."
  },
  {
    file: "src/Webhook.ts",
    source: 'secrets: Either.getOrElse(readSecrets("Webhook.handler", "secrets", options.secrets), () => [])',
    original: '"secrets"',
    replacement: '""',
    reason: "The error of these secrets is not used. `verify` reports the error for each delivery."
  },
  {
    file: "src/Webhook.ts",
    source: 'secrets: Either.getOrElse(readSecrets("Webhook.handler", "secrets", options.secrets), () => [])',
    original: "() => []",
    replacement: "() => undefined",
    reason: "If the secrets are invalid, no delivery reaches the code that uses these secrets."
  },
  {
    file: "src/Webhook.ts",
    source: 'secrets: Either.getOrElse(readSecrets("Webhook.handler", "secrets", options.secrets), () => [])',
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "If the secrets are invalid, no delivery reaches the code that uses these secrets."
  },
  {
    file: "src/internal/webhooks/eventDecode.ts",
    source: "} catch {",
    original: "{",
    replacement: "{}",
    reason: "A function without `return` also returns `undefined`."
  },
  {
    file: "src/internal/webhooks/failureText.ts",
    source: '? freeText([Cause.pretty(cause)]).join("")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The array contains one text, so no separator is used."
  },
  {
    file: "src/internal/webhooks/signature.ts",
    source: 'globalThis.crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [usage])',
    original: "false",
    replacement: "true",
    reason: "No code exports the key, and the module does not return the key."
  },
  {
    file: "src/internal/webhooks/signatureCheck.ts",
    source: "if (timestamp === undefined || !/^\\d{1,15}$/.test(timestamp)) return timestampMissing",
    original: "timestamp === undefined",
    replacement: "false",
    reason: "A missing header contains no digits either. The condition only narrows the type."
  },
  {
    file: "src/internal/webhooks/verify.ts",
    source: '"zero"',
    original: '"zero"',
    replacement: '""',
    reason: 'Only "above zero" changes the check.'
  },
  {
    file: "src/internal/webhooks/verify.ts",
    source: 'const [secret = ""] = yield* readSecrets(signOperation, "secret", [options.secret])',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "`readSecrets` returns one text for each secret. The types do not contain this fact."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "Option.isSome(value) && /^\\d{1,16}\\.$/.test(value.value) ? Number(value.value.slice(0, -1)) : undefined",
    original: "value.value.slice(0, -1)",
    replacement: "value.value",
    reason: "`Number` ignores a dot at the end of a whole number."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: '(error) => error._tag === "SystemError" && error.reason === "NotFound",',
    original: 'error._tag === "SystemError"',
    replacement: "true",
    reason: "Only a `SystemError` has a reason. The condition only narrows the type."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: 'const hash = Option.getOrElse(yield* store.get(slotKey(hour, n)), () => "")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Neither text is a hash, so neither text has an entry."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: 'const hash = Option.getOrElse(yield* store.get(slotKey(hour, n)), () => "")',
    original: '() => ""',
    replacement: "() => undefined",
    reason: "Neither value is a hash, so neither value has an entry."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "const isKnown = cleaned !== undefined && cleaned <= hourOf(now)",
    original: "cleaned !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined hour is false. The condition only narrows the type."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "const isKnown = cleaned !== undefined && cleaned <= hourOf(now)",
    original: "cleaned <= hourOf(now)",
    replacement: "cleaned < hourOf(now)",
    reason:
      "A cleanup with a correct clock records an hour that is at least 24 hours ago. Both comparisons reject the records of a wrong clock."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "let next = { hour: Number.NaN, n: 0 }",
    original: "{ hour: Number.NaN, n: 0 }",
    replacement: "{}",
    reason: "No hour is equal to `NaN` or `undefined`."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "const n = yield* findFreeNumber(events, hour, next.hour === hour ? next.n : 0)",
    original: "next.hour === hour",
    replacement: "false",
    reason: "The memory of the latest slot saves reads of the store, but does not change the slot."
  },
  {
    file: "src/internal/webhooks/dedupKeyValueStore.ts",
    source: "next = { hour, n: n + 1 }",
    original: "{ hour, n: n + 1 }",
    replacement: "{}",
    reason: "The memory of the latest slot saves reads of the store, but does not change the slot."
  },
  {
    file: "src/internal/webhooks/dedupLayer.ts",
    source:
      'Math.max(minTtlMillis, orThrow(checksOf("Webhook.Dedup").duration("ttl", options.ttl ?? "24 hours", "zero")))',
    original: '"zero"',
    replacement: '""',
    reason: 'Only "above zero" changes the check.'
  },
  {
    file: "src/internal/webhooks/endpoints.ts",
    source: 'return fail("headers", "is not a plain object", "Pass { name: value }.")',
    original: '"Pass { name: value }."',
    replacement: '""',
    reason: "The wording of a text is not a contract."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source: "private get isIdle(): boolean {",
    original: "{",
    replacement: "{}",
    reason: "An update of the queue without a queued request changes nothing. The check only saves time."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source: "return this.queue.size === 0 && !this.log.isResetPending",
    original: "this.queue.size === 0 && !this.log.isResetPending",
    replacement: "false",
    reason: "An update of the queue without a queued request changes nothing. The check only saves time."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source: "if (remaining !== undefined && Number.isFinite(remaining)) Metrics.remaining.unsafeUpdate(remaining, [])",
    original: "remaining !== undefined",
    replacement: "true",
    reason: "An undefined number is not finite. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source: "const isWaitForLimit = waiter.sent === undefined && limited && recheckAt !== undefined",
    original: "recheckAt !== undefined",
    replacement: "true",
    reason: "A limited capacity always has a recheck time. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source:
      "if (!limited || recheckAt === undefined || recheckAt <= this.confirmedUntil + reconfirmToleranceMillis) return",
    original: "recheckAt === undefined",
    replacement: "false",
    reason: "A limited capacity always has a recheck time. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source:
      "if (!limited || recheckAt === undefined || recheckAt <= this.confirmedUntil + reconfirmToleranceMillis) return",
    original: "recheckAt <= this.confirmedUntil + reconfirmToleranceMillis",
    replacement: "recheckAt < this.confirmedUntil + reconfirmToleranceMillis",
    reason: "A delay that is longer by the tolerance is also within the tolerance that each caller has accepted."
  },
  {
    file: "src/internal/rateLimit/gate.ts",
    source: "if (!hasAccepted(waiter, this.limiter, recheckAt, now)) waiter.wake?.()",
    original: "!hasAccepted(waiter, this.limiter, recheckAt, now)",
    replacement: "true",
    reason: "A resumed caller checks again whether it has accepted the wait. The check only saves time."
  },
  {
    file: "src/internal/rateLimit/limitLog.ts",
    source: "return this.reached !== undefined",
    original: "this.reached !== undefined",
    replacement: "true",
    reason: "An update of the queue without a queued request changes nothing. The check only saves time."
  },
  {
    file: "src/internal/rateLimit/limitLog.ts",
    source: "if (!capacity.limited || capacity.recheckAt === undefined || waiting === 0) return Effect.void",
    original: "capacity.recheckAt === undefined",
    replacement: "false",
    reason: "A limited capacity always has a recheck time. The condition only narrows the type."
  },
  {
    file: "src/internal/batch/mapConcurrently.ts",
    source: 'const workers = Effect.replicateEffect(worker, concurrency, { concurrency: "unbounded", discard: true })',
    original: "true",
    replacement: "false",
    reason: "The workers have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/stopSignal.ts",
    source: "return () => void this.listeners.delete(listener)",
    original: "() => void this.listeners.delete(listener)",
    replacement: "() => undefined",
    reason: "A listener of an ended effect has no effect. The removal only frees memory."
  },
  {
    file: "src/internal/batch/journalWriter.ts",
    source: "Effect.forEach(pending, ({ done }) => Deferred.done(done, exit), { discard: true })",
    original: "{ discard: true }",
    replacement: "{}",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/journalWriter.ts",
    source: "Effect.forEach(pending, ({ done }) => Deferred.done(done, exit), { discard: true })",
    original: "true",
    replacement: "false",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/progress.ts",
    source: "(signal) => Effect.sync(() => this.subscribers.delete(signal))",
    original: "(signal) => Effect.sync(() => this.subscribers.delete(signal))",
    replacement: "() => undefined",
    reason: "An ended subscriber ignores a signal. The removal only frees memory."
  },
  {
    file: "src/internal/batch/progress.ts",
    source: "(signal) => Effect.sync(() => this.subscribers.delete(signal))",
    original: "() => this.subscribers.delete(signal)",
    replacement: "() => undefined",
    reason: "An ended subscriber ignores a signal. The removal only frees memory."
  },
  {
    file: "src/internal/rateLimit/queueTimer.ts",
    source: "if (at !== undefined && current !== undefined && current.at <= at) return Effect.void",
    original: "at !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/Execution.ts",
    source: "for (let i = next.length - 1; i >= 0; i--) unread.push(next[i])",
    original: "next.length - 1",
    replacement: "next.length + 1",
    reason: "The two additional values are undefined and contain no file id."
  },
  {
    file: "src/Execution.ts",
    source: "for (let i = values.length - 1; i >= 0; i--) unread.push(values[i])",
    original: "values.length - 1",
    replacement: "values.length + 1",
    reason: "The two additional values are undefined and contain no file id."
  },
  {
    file: "src/internal/executions/completion.ts",
    source: "return Either.left(classify.fromExecution(execution, { ...fields, confidential, isRepeatable: true }))",
    original: "true",
    replacement: "false",
    reason: "The error of a FAILED execution does not depend on whether a request can be repeated."
  },
  {
    file: "src/internal/executions/awaitEnd.ts",
    source: "const result = toResult(waitContext, execution, () => {",
    original: "{",
    replacement: "{}",
    reason:
      "The poller ends only with a terminal status, so no wait reaches this code. The types do not contain this fact."
  },
  {
    file: "src/internal/executions/awaitEnd.ts",
    source: "return new AwaitTimeout({ ...errorFields(waitContext, id), execution, message })",
    original: "{ ...errorFields(waitContext, id), execution, message }",
    replacement: "{}",
    reason:
      "The poller ends only with a terminal status, so no wait reaches this code. The types do not contain this fact."
  },
  {
    file: "src/internal/executions/cancelOnInterrupt.ts",
    source: '"executions.create",',
    original: '"executions.create"',
    replacement: '""',
    reason: "The error ends a request in the background, so no caller receives the error."
  },
  {
    file: "src/internal/executions/cancelOnInterrupt.ts",
    source: '"request",',
    original: '"request"',
    replacement: '""',
    reason: "The error ends a request in the background, so no caller receives the error."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: "errorMissingSince !== undefined && now - errorMissingSince >= replicaLagMillis",
    original: "errorMissingSince !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: 'new Execution.Execution({ ...execution, status: "COMPLETED" }, { disableValidation: true })',
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: 'new Execution.Execution({ ...execution, status: "COMPLETED" }, { disableValidation: true })',
    original: "true",
    replacement: "false",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: 'state.latest !== undefined && phaseOf(state) === "needsOutput"',
    original: "state.latest !== undefined",
    replacement: "true",
    reason: "In this phase, the latest state is known. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: "const isNew = state.createdAt !== undefined && now - state.createdAt < replicaLagMillis",
    original: "state.createdAt !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollTransitions.ts",
    source: 'if (phase === "needsOutput" && state.latest !== undefined) {',
    original: "state.latest !== undefined",
    replacement: "true",
    reason: "In this phase, the latest state is known. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollState.ts",
    source: "return pollDeadline !== undefined && pollDeadline >= now",
    original: "pollDeadline !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollState.ts",
    source: 'if (phase === "ended" && latest !== undefined) return { _tag: "Done", execution: latest.execution }',
    original: "latest !== undefined",
    replacement: "true",
    reason: "In this phase, the latest state is known. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/pollState.ts",
    source:
      "const { at, since } = isPollDue(state) || scheduledPoll === undefined ? { at: now, since: now } : scheduledPoll",
    original: "scheduledPoll === undefined",
    replacement: "false",
    reason: "If no poll is due or scheduled, `needsSchedule` returns true and the function is not called."
  },
  {
    file: "src/internal/executions/poller.ts",
    source: 'if (!("retryAfter" in error) || error.retryAfter === undefined) return 0',
    original: '!("retryAfter" in error) || error.retryAfter === undefined',
    replacement: '!("retryAfter" in error) && error.retryAfter === undefined',
    reason: "An error with the field never has the value undefined."
  },
  {
    file: "src/internal/executions/poller.ts",
    source: 'if (!("retryAfter" in error) || error.retryAfter === undefined) return 0',
    original: "error.retryAfter === undefined",
    replacement: "false",
    reason: "An error with the field never has the value undefined."
  },
  {
    file: "src/internal/executions/poller.ts",
    source: "if (state.latest === undefined || state.latest === before) return this.next",
    original: "state.latest === undefined",
    replacement: "false",
    reason: "If the latest state is undefined, the state before is undefined too. The condition only narrows the type."
  },
  {
    file: "src/internal/executions/decode.ts",
    source: 'const text = nonEmptyString(status)?.toUpperCase() ?? ""',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Neither text is a valid status."
  },
  {
    file: "src/internal/executions/latencyEstimate.ts",
    source: 'if (status !== "COMPLETED" || model === undefined) return',
    original: "model === undefined",
    replacement: "false",
    reason: "`expectedMillis` returns no estimate without a model. The condition narrows the type."
  },
  {
    file: "src/internal/executions/latencyEstimate.ts",
    source: "return model === undefined ? undefined : this.millisByModel.get(model)",
    original: "model === undefined",
    replacement: "false",
    reason: "`record` stores no estimate without a model. The condition narrows the type."
  },
  {
    file: "src/internal/executions/observation.ts",
    source:
      'Execution.isTerminal(update) || runningStatuses.indexOf(update.status) > runningStatuses.indexOf(known?.status ?? "")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Neither text is a status."
  },
  {
    file: "src/internal/executions/requests.ts",
    source: 'return Either.left(invalidRequest(operation, "request", "is not an object", "Pass { model, input }."))',
    original: '"Pass { model, input }."',
    replacement: '""',
    reason: "The wording of a text is not a contract."
  },
  {
    file: "src/internal/executions/requests.ts",
    source:
      'return Either.left(invalidRequest(operation, "model", "is empty", "Pass a model name, such as flux-1.1-pro."))',
    original: '"is empty"',
    replacement: '""',
    reason: "The wording of a text is not a contract."
  },
  {
    file: "src/internal/executions/requests.ts",
    source:
      'const hasNoOutput = isNull && execution.status === "COMPLETED" && decode.outputOf(execution) === undefined',
    original: "decode.outputOf(execution) === undefined",
    replacement: "true",
    reason: "`hasNoOutput` has no effect on an execution that contains an output."
  },
  {
    file: "src/internal/executions/waitOptions.ts",
    source:
      'const timeoutMillis = timeout === undefined ? undefined : yield* check.duration("timeout", timeout, "zero")',
    original: '"zero"',
    replacement: '""',
    reason: 'Only "above zero" changes the check.'
  },
  {
    file: "src/internal/executions/decode.ts",
    source: "{ disableValidation: true }",
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/decode.ts",
    source: "{ disableValidation: true }",
    original: "true",
    replacement: "false",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/decode.ts",
    source: "id: Execution.ExecutionId.make(id, { disableValidation: true }),",
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/decode.ts",
    source: "id: Execution.ExecutionId.make(id, { disableValidation: true }),",
    original: "true",
    replacement: "false",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/earlyNotifications.ts",
    source: "return { ...notification, execution: new Execution(rest, { disableValidation: true }) }",
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/earlyNotifications.ts",
    source: "return { ...notification, execution: new Execution(rest, { disableValidation: true }) }",
    original: "true",
    replacement: "false",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/observation.ts",
    source: "{ disableValidation: true }",
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/internal/executions/observation.ts",
    source: "{ disableValidation: true }",
    original: "true",
    replacement: "false",
    reason: "The validation takes time, but never fails, because the fields are already decoded."
  },
  {
    file: "src/ModelRouteError.ts",
    source: '("executionStatus" in u && u.executionStatus === "FAILED"))',
    original: '"executionStatus" in u && u.executionStatus === "FAILED"',
    replacement: '"executionStatus" in u || u.executionStatus === "FAILED"',
    reason: "The first condition only narrows the type. An error without the field has the value undefined."
  },
  {
    file: "src/ModelRouteError.ts",
    source: '("executionStatus" in u && u.executionStatus === "FAILED"))',
    original: 'u.executionStatus === "FAILED"',
    replacement: "true",
    reason: "FAILED is the only value of the field."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'const codeByText = new Map(distinctCodes.map((text, i) => [text, redactedCodes[i] ?? ""]))',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The list has an element at this index. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'code: codeByText.get(code) ?? "",',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The map contains the code. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'field: fields[i] ?? "",',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The list has an element at this index. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'code: codeByText.get(detailCodes[i] ?? "") ?? "",',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The list has an element at this index. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'message: detailMessages[i] ?? ""',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The list has an element at this index. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'const wireCode = nonEmptyString(error["code"]) ?? ""',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Every error that reaches this line has a code. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'const [body = ""] = redactor.redactText([content])',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "`redactText` returns one text for each text. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'const [, mediaType, charset = ""] = contentTypePattern.exec(contentType) ?? []',
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "The first element of the match is not used."
  },
  {
    file: "src/internal/errors/classify.ts",
    source: 'return redacted === undefined || redacted === "" ? undefined : redacted + charset',
    original: "redacted === undefined",
    replacement: "false",
    reason: "The redactor returns one text for each text. The condition only narrows the type."
  },
  {
    file: "src/internal/errors/urlSecrets.ts",
    source: 'const [name = ""] = parameter.split("=", 1)',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "`split` returns at least one part. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/optionChecks.ts",
    source: 'return !Array.isArray(input) || input.every((part) => typeof part === "number" && part >= 0)',
    original: 'typeof part === "number"',
    replacement: "true",
    reason: "`Duration.decodeUnknown` rejects arrays with other values. The condition only narrows the type."
  },
  {
    file: "src/internal/errors/semantics.ts",
    source: "return status !== undefined && statuses.includes(status)",
    original: "status !== undefined",
    replacement: "true",
    reason: "The list contains no undefined. The condition only narrows the type."
  },
  {
    file: "src/internal/errors/semantics.ts",
    source: "return status !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 429",
    original: "status !== undefined",
    replacement: "true",
    reason: "The comparison with undefined is false. The condition only narrows the type."
  },
  {
    file: "src/internal/errors/messages.ts",
    source: "if (status === 409 && call?.isKeyed === true) return conflict",
    original: "call?.isKeyed",
    replacement: "call.isKeyed",
    reason: "A call without information has no status either."
  },
  {
    file: "src/internal/errors/messages.ts",
    source: "if (status === 404 && call !== undefined && operationsWithoutId.has(call.operation)) return wrongBaseUrl",
    original: "call !== undefined",
    replacement: "true",
    reason: "A call without information has no status either."
  },
  {
    file: "src/internal/errors/messages.ts",
    source: "return (status === undefined ? undefined : phrasesByStatus[status]) ?? unrecognized",
    original: "status === undefined",
    replacement: "false",
    reason: "The table has no entry for undefined. The condition only narrows the type."
  },
  {
    file: "src/internal/errors/envelope.ts",
    source: 'const label = /charset\\s*=\\s*"?([\\w-]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8"',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Both texts contain no charset."
  },
  {
    file: "src/internal/errors/envelope.ts",
    source: 'const label = /charset\\s*=\\s*"?([\\w-]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8"',
    original: '"utf-8"',
    replacement: '""',
    reason: "An invalid charset also results in UTF-8."
  },
  {
    file: "src/internal/errors/envelope.ts",
    source: "} catch {",
    original: "{",
    replacement: "{}",
    reason: "A function without a return statement also returns undefined."
  },
  {
    file: "src/internal/errors/escapes.ts",
    source: "const utf8Length = (byte: number): number => (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4)",
    original: "byte < 0xc0",
    replacement: "byte <= 0xc0",
    reason: "The byte 0xc0 never occurs in UTF-8."
  },
  {
    file: "src/internal/errors/escapes.ts",
    source: "for (let i = 0; i < decoded.length; i++) {",
    original: "i < decoded.length",
    replacement: "i <= decoded.length",
    reason: "The next text replaces the additional entry."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: 'isIdentifier[i] === true ? (withoutSecrets[i] ?? "") : (freeTexts.next().value ?? "")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The lists have an element for each text. The types do not contain this fact."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "export const makeRedactor = ({ privateTexts = noTexts, secrets = [] }: Confidential): Redactor => {",
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "Only a test with the words of the mutant would detect the difference."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const long: Array<string> = []",
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "Only a test with the words of the mutant would detect the difference."
  },
  {
    file: "src/internal/errors/redact.ts",
    source:
      "const sumLengths = (texts: ReadonlyArray<string>): number => texts.reduce((sum, { length }) => sum + length, 0)",
    original: "(sum, { length }) => sum + length",
    replacement: "() => undefined",
    reason: "The sums only select the faster way."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isWithinLimit = sumLengths(texts) <= maxSearchedChars",
    original: "sumLengths(texts) <= maxSearchedChars",
    replacement: "false",
    reason: "The order of the texts only matters if not all texts can be compared."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isWithinLimit = sumLengths(texts) <= maxSearchedChars",
    original: "sumLengths(texts) <= maxSearchedChars",
    replacement: "sumLengths(texts) < maxSearchedChars",
    reason: "The order of the texts only matters if not all texts can be compared."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (!hasPattern && !mask.includes(1)) return cut",
    original: "!hasPattern && !mask.includes(1)",
    replacement: "false",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return",
    original: "sources.length === 0 || variants.every(({ text }) => text.length < substringChars)",
    replacement: "false",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return",
    original: "sources.length === 0 || variants.every(({ text }) => text.length < substringChars)",
    replacement: "sources.length === 0 && variants.every(({ text }) => text.length < substringChars)",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return",
    original: "sources.length === 0",
    replacement: "false",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return",
    original: "({ text }) => text.length < substringChars",
    replacement: "() => undefined",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (sources.length === 0 || variants.every(({ text }) => text.length < substringChars)) return",
    original: "text.length < substringChars",
    replacement: "false",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isSourceSmaller = sumLengths(sources) < sumLengths(shown)",
    original: "sumLengths(sources) < sumLengths(shown)",
    replacement: "true",
    reason: "The comparison only selects the faster side."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isSourceSmaller = sumLengths(sources) < sumLengths(shown)",
    original: "sumLengths(sources) < sumLengths(shown)",
    replacement: "false",
    reason: "The comparison only selects the faster side."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isSourceSmaller = sumLengths(sources) < sumLengths(shown)",
    original: "sumLengths(sources) < sumLengths(shown)",
    replacement: "sumLengths(sources) <= sumLengths(shown)",
    reason: "The comparison only selects the faster side."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "const isSourceSmaller = sumLengths(sources) < sumLengths(shown)",
    original: "sumLengths(sources) < sumLengths(shown)",
    replacement: "sumLengths(sources) >= sumLengths(shown)",
    reason: "The comparison only selects the faster side."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (isSourceSmaller) {",
    original: "isSourceSmaller",
    replacement: "false",
    reason: "The other branch finds the same substrings."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "return code < 128 ? isAsciiWord[code] === 1 : wordPattern.test(text.charAt(at))",
    original: "code < 128",
    replacement: "false",
    reason: "The pattern and the table are equal for ASCII. The table saves time."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "return code < 128 ? isAsciiWord[code] === 1 : wordPattern.test(text.charAt(at))",
    original: "code < 128",
    replacement: "code <= 128",
    reason: "The character 128 is not a part of a word."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (words.size === 0) return",
    original: "words.size === 0",
    replacement: "false",
    reason: "The condition saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "for (let at = 0; at + minWordChars <= text.length; at++) {",
    original: "at + minWordChars",
    replacement: "at - minWordChars",
    reason: "No word begins after the end of the text."
  },
  {
    file: "src/internal/errors/redact.ts",
    source: "if (end <= text.length && !isWordAt(text, end) && words.has(text.slice(at, end))) {",
    original: "end <= text.length",
    replacement: "true",
    reason: "A word after the end of the text is a shorter word at the end."
  },
  {
    file: "src/internal/errors/substringIndex.ts",
    source: "if (filter === undefined || filter[filterIndex(filter, hash)] === 1) visit(at, hash)",
    original: "filter === undefined || filter[filterIndex(filter, hash)] === 1",
    replacement: "true",
    reason: "The filter saves time, but does not change the result."
  },
  {
    file: "src/internal/errors/substringIndex.ts",
    source: "this.slots = new Int32Array(2 * powerOfTwo(this.text.length + 1))",
    original: "this.text.length + 1",
    replacement: "this.text.length - 1",
    reason: "The size of the table does not change the result."
  },
  {
    file: "src/internal/errors/substringIndex.ts",
    source: "this.filter = new Uint8Array(Math.min(8 * this.slots.length, maxFilterSize))",
    original: "Math.min(8 * this.slots.length, maxFilterSize)",
    replacement: "Math.max(8 * this.slots.length, maxFilterSize)",
    reason: "The size of the filter does not change the result."
  },
  {
    file: "src/internal/errors/substringIndex.ts",
    source: "for (let slot = (hash ^ (hash >>> 15)) & last; ; slot = (slot + 1) & last) {",
    original: "slot + 1",
    replacement: "slot - 1",
    reason: "The direction of the search does not change the result."
  },
  {
    file: "src/internal/http/responseBody.ts",
    source: 'new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })',
    original: '{ request: response.request, response, reason: "Decode", cause }',
    replacement: "{}",
    reason: "Only the reason EmptyBody changes the result."
  },
  {
    file: "src/internal/http/responseBody.ts",
    source: 'new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })',
    original: '"Decode"',
    replacement: '""',
    reason: "Only the reason EmptyBody changes the result."
  },
  {
    file: "src/internal/http/responseBody.ts",
    source:
      "return length !== undefined && /^\\d{1,15}$/.test(length) && !isEncoded(headers) ? Number(length) : undefined",
    original: "length !== undefined",
    replacement: "true",
    reason: "The pattern does not match the text undefined. The condition only narrows the type."
  },
  {
    file: "src/internal/http/transportError.ts",
    source: 'const name = String(next["name"] ?? "")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "No pattern matches either text."
  },
  {
    file: "src/internal/http/transportError.ts",
    source: 'const [, reason = "protocol error"] = /SSL routines:[^:]*:([^:]+)/.exec(message) ?? []',
    original: '"protocol error"',
    replacement: '""',
    reason: "Every unknown reason of an SSL error has the same result."
  },
  {
    file: "src/internal/http/transportError.ts",
    source: 'const [, reason = "protocol error"] = /SSL routines:[^:]*:([^:]+)/.exec(message) ?? []',
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "The first element of the match is not used."
  },
  {
    file: "src/internal/http/transportError.ts",
    source: "const links: Array<CauseLink> = []",
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "A string has none of the fields of a cause."
  },
  {
    file: "src/internal/http/transports.ts",
    source: 'return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode" }))',
    original: '{ request, reason: "Encode" }',
    replacement: "{}",
    reason: "The reason and the content of the failure are not used."
  },
  {
    file: "src/internal/http/transports.ts",
    source: 'return Effect.fail(new HttpClientError.RequestError({ request, reason: "Encode" }))',
    original: '"Encode"',
    replacement: '""',
    reason: "The reason and the content of the failure are not used."
  },
  {
    file: "src/internal/http/transports.ts",
    source: 'return Effect.exit(probe.execute(HttpClientRequest.get("http://fetch.invalid"))).pipe(',
    original: '"http://fetch.invalid"',
    replacement: '""',
    reason: "The request is never sent."
  },
  {
    file: "src/internal/http/jsonBody.ts",
    source: "default:",
    original: "default:",
    replacement: "default:",
    reason: "A function without a return statement also returns undefined."
  },
  {
    file: "src/internal/http/jsonBody.ts",
    source: "const ancestors: Array<Container> = []",
    original: "[]",
    replacement: '["Stryker was here"]',
    reason: "The additional element is after all containers and has no value."
  },
  {
    file: "src/internal/http/jsonBody.ts",
    source: "const cycle = problem === tooDeep ? cycleIn(container) : undefined",
    original: "problem === tooDeep",
    replacement: "true",
    reason: "The check finds any other problem before it visits an object again."
  },
  {
    file: "src/internal/http/jsonBody.ts",
    source:
      "for (let i = 0; i < value.length && found === undefined; i++) found = visitMember(traversal, container, i, value[i])",
    original: "i < value.length",
    replacement: "i <= value.length",
    reason: "The additional element is undefined, which is not a problem."
  },
  {
    file: "src/internal/http/makePermitRequest.ts",
    source: "if (call.deadline !== undefined && monotonic.read(clock) + delay.opensIn <= call.deadline) {",
    original: "call.deadline !== undefined",
    replacement: "true",
    reason: "The comparison with undefined is false. The condition only narrows the type."
  },
  {
    file: "src/internal/batch/submit.ts",
    source: 'const reservation = yield* reserveCost(context, item, plan, nonEmptyString(body["model"]) ?? "")',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Every request contains a model. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/submit.ts",
    source: '? Either.left(stop.cause ?? { reason: "Stopped" })',
    original: '{ reason: "Stopped" }',
    replacement: "{}",
    reason: "The signal has a cause when it interrupts an effect. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/submit.ts",
    source: '? Either.left(stop.cause ?? { reason: "Stopped" })',
    original: '"Stopped"',
    replacement: '""',
    reason: "The signal has a cause when it interrupts an effect. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/submit.ts",
    source: "plan.resent === undefined ? context.write(prepared.entry) : Effect.void,",
    original: "plan.resent === undefined",
    replacement: "true",
    reason:
      "The journal already contains the entry of a resent submission. Another write of this entry changes nothing."
  },
  {
    file: "src/internal/batch/resume.ts",
    source: "if (reservation !== undefined) costBudget?.endReservation(reservation, settledCost(last))",
    original: "costBudget?.endReservation",
    replacement: "costBudget.endReservation",
    reason: "Only a budget creates a reservation. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "if (map.size <= maxCached) return",
    original: "map.size <= maxCached",
    replacement: "map.size < maxCached",
    reason: "The cache then contains one item less. The limit only bounds the memory."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "const lock = locks[Number.parseInt(batch.slice(0, 4), 16) % lockCount]",
    original: "batch.slice(0, 4)",
    replacement: "batch",
    reason: "All batches then share a lock, which only delays concurrent batches."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "return lock === undefined ? effect : lock.withPermits(1)(effect)",
    original: "lock === undefined",
    replacement: "false",
    reason: "Every index is the index of a lock. The condition only narrows the type."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: '"idempotency key."',
    original: '"idempotency key."',
    replacement: '""',
    reason: "The wording of a text is not a contract."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "key === undefined ? hashName([batch, entry.key]) === item : entry.key === key",
    original: "key === undefined",
    replacement: "true",
    reason: "The results differ only if two keys have the same hash of 128 bits."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source:
      "b !== undefined && (a === undefined || (revision(b.entry) - revision(a.entry) || b.sequence - a.sequence) > 0)",
    original: "(revision(b.entry) - revision(a.entry) || b.sequence - a.sequence) > 0",
    replacement: "(revision(b.entry) - revision(a.entry) || b.sequence - a.sequence) >= 0",
    reason: "Two slots of an item never have the same sequence."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: 'const items = itemsIn(Option.getOrElse(list, () => ""))',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "Neither text contains a hash."
  },
  {
    file: "src/internal/batch/journalEntry.ts",
    source: "new JournalEntry(fields, { disableValidation: true })",
    original: "{ disableValidation: true }",
    replacement: "{}",
    reason: "The validation of valid fields changes nothing. The option only saves time."
  },
  {
    file: "src/internal/batch/journalEntry.ts",
    source: "new JournalEntry(fields, { disableValidation: true })",
    original: "true",
    replacement: "false",
    reason: "The validation of valid fields changes nothing. The option only saves time."
  },
  {
    file: "src/internal/batch/journalEntry.ts",
    source: 'model: entry.model ?? "",',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "No request contains this model."
  },
  {
    file: "src/internal/batch/submit.ts",
    source: "return Effect.succeed(Either.right({ model, amount: money.zero, isHoldUnknown: false }))",
    original: "false",
    replacement: "true",
    reason: "The field is not read without a budget."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "discard: true",
    original: "true",
    replacement: "false",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "yield* Effect.forEach(items, (item) => removeItem(state, item), { concurrency, discard: true })",
    original: "true",
    replacement: "false",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: 'if (found === undefined) cache(state.positions, item, { position: "none" })',
    original: '{ position: "none" }',
    replacement: "{}",
    reason: "A cached position of undefined also means that the item has no entry."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: "for (let n = (yield* firstFreeList(state, batch)) - 1; n >= 0; n--) {",
    original: "(yield* firstFreeList(state, batch)) - 1",
    replacement: "(yield* firstFreeList(state, batch)) + 1",
    reason: "The batch has no lists with these numbers, so their removal changes nothing."
  },
  {
    file: "src/internal/batch/journalKeyValueStore.ts",
    source: 'const items = itemsIn(Option.getOrElse(list, () => ""))',
    original: '() => ""',
    replacement: "() => undefined",
    reason: "Each list below the first free number exists. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/options.ts",
    source: 'wait?.timeout === undefined ? Either.void : check.duration("wait.timeout", wait.timeout, "zero")',
    original: '"zero"',
    replacement: '""',
    reason: 'Only "above zero" changes the check.'
  },
  {
    file: "src/internal/batch/options.ts",
    source:
      'invalidRequest(operation, "id", "is empty", "Pass the name of the batch. Use the same name in every run.")',
    original: '"is empty"',
    replacement: '""',
    reason: "The wording of a text is not a contract."
  },
  {
    file: "src/internal/batch/input.ts",
    source: "if (isStream(input)) return undefined",
    original: "isStream(input)",
    replacement: "false",
    reason: "A stream has neither a size nor a length."
  },
  {
    file: "src/internal/batch/itemReader.ts",
    source: "if (lastOfKey.get(key) === done) lastOfKey.delete(key)",
    original: "lastOfKey.get(key) === done",
    replacement: "false",
    reason: "The next item with the same key then waits for an item that is done. The removal only frees memory."
  },
  {
    file: "src/internal/batch/run.ts",
    source: "{ beforeSubmit, hold, key, request, resubmit = () => false, version }: Options<A, E, E2, R, Out>,",
    original: "() => false",
    replacement: "() => undefined",
    reason: "Both results mean that the item is not submitted again."
  },
  {
    file: "src/internal/rateLimit/queueTimer.ts",
    source: "if (at !== undefined && current !== undefined && current.at <= at) return Effect.void",
    original: "current.at <= at",
    replacement: "current.at < at",
    reason: "A timer that is set again to the same time still fires at this time."
  },
  {
    file: "src/internal/rateLimit/snapshot.ts",
    source: "n !== undefined && Number.isFinite(n) ? n : undefined",
    original: "n !== undefined",
    replacement: "true",
    reason: "An undefined number is not finite. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/snapshot.ts",
    source: "at === undefined || !Number.isFinite(at) ? undefined : DateTime.unsafeMake(at + offset)",
    original: "at === undefined || !Number.isFinite(at)",
    replacement: "at === undefined && !Number.isFinite(at)",
    reason: "Every time of the limiter is finite. The check only protects against a defect."
  },
  {
    file: "src/internal/rateLimit/snapshot.ts",
    source: "at === undefined || !Number.isFinite(at) ? undefined : DateTime.unsafeMake(at + offset)",
    original: "at === undefined",
    replacement: "false",
    reason: "An undefined time is not finite. The condition only narrows the type."
  },
  {
    file: "src/internal/rateLimit/snapshot.ts",
    source: "const isOver = opensAt !== undefined && opensAt <= now",
    original: "opensAt !== undefined",
    replacement: "true",
    reason: "The comparison with an undefined time is false. The condition only narrows the type."
  },
  {
    file: "src/internal/http/attempt.ts",
    source: "json === undefined && isTruncatedJson(text)",
    original: "json === undefined",
    replacement: "true",
    reason: "Complete JSON is not truncated. The condition saves time."
  },
  {
    file: "src/internal/http/attempt.ts",
    source: 'error._tag === "ResponseError" && error.reason === "StatusCode" ? error.response : undefined',
    original: 'error._tag === "ResponseError"',
    replacement: "true",
    reason: "Only a ResponseError has this reason. The condition narrows the type."
  },
  {
    file: "src/internal/http/attemptInterceptor.ts",
    source: "outer === noInterceptor ? interceptor : compose(interceptor, outer)",
    original: "outer === noInterceptor",
    replacement: "false",
    reason: "The hooks of `noInterceptor` do nothing. The condition saves time."
  },
  {
    file: "src/internal/http/retryLoop.ts",
    source: "if (interceptor === noInterceptor) return countAndReport(call.operation, stats, permit, send)",
    original: "interceptor === noInterceptor",
    replacement: "false",
    reason: "The hooks of `noInterceptor` do nothing. The condition saves time."
  },
  {
    file: "src/internal/http/rawRequest.ts",
    source: 'if (!path.startsWith("/") || !URL.canParse(path, host)) return false',
    original: '"/"',
    replacement: '""',
    reason: "The last line of the function rejects every path without a leading slash."
  },
  {
    file: "src/internal/http/rawRequest.ts",
    source: "return url.origin === host && url.pathname + url.search === path",
    original: "url.origin === host",
    replacement: "true",
    reason: "A path with a host differs from the path of its URL."
  },
  {
    file: "src/internal/http/rawRequest.ts",
    source:
      'const key = isIdempotent ? undefined : Option.getOrUndefined(yield* takeCurrentKey(operation, json?.text ?? ""))',
    original: '""',
    replacement: '"Stryker was here!"',
    reason: "The text is only compared with the text of other requests without a body."
  },
  {
    file: "src/internal/http/rawRequest.ts",
    source: "...(key === undefined ? {} : { idempotencyKey: key })",
    original: "key === undefined",
    replacement: "false",
    reason: "Errors omit an undefined key. The types require the condition."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "return millis > maxSleepMillis",
    original: "millis > maxSleepMillis",
    replacement: "millis >= maxSleepMillis",
    reason: "The additional sleep has a duration of zero."
  },
  {
    file: "src/internal/http/bodyReader.ts",
    source: 'onRead(bytes === null ? (end ?? { _tag: "End" }) : { _tag: "Bytes", bytes })',
    original: '{ _tag: "End" }',
    replacement: "{}",
    reason: "The end is known if this line receives no bytes. The types do not contain this fact."
  },
  {
    file: "src/internal/http/bodyReader.ts",
    source: 'onRead(bytes === null ? (end ?? { _tag: "End" }) : { _tag: "Bytes", bytes })',
    original: '"End"',
    replacement: '""',
    reason: "The end is known if this line receives no bytes. The types do not contain this fact."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (this.queue.size === 0 && microtasks > 0) {",
    original: "this.queue.size === 0",
    replacement: "true",
    reason: "The fiber is not stopped while a timer is left. The loop only ends later."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (this.queue.size === 0 && microtasks > 0) {",
    original: "microtasks > 0",
    replacement: "microtasks >= 0",
    reason: "One microtask more is not observable."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (at < this.sleepingUntil) {",
    original: "at < this.sleepingUntil",
    replacement: "at <= this.sleepingUntil",
    reason: "A new fiber for the same time fires at the same time."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (this.queue.size > 0 || this.isEnding) return",
    original: "this.queue.size > 0 || this.isEnding",
    replacement: "false",
    reason: "Several loops have the same result as one loop, and only take longer."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (this.queue.size > 0 || this.isEnding) return",
    original: "this.queue.size > 0 || this.isEnding",
    replacement: "this.queue.size > 0 && this.isEnding",
    reason: "Several loops have the same result as one loop, and only take longer."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "if (this.queue.size > 0 || this.isEnding) return",
    original: "this.queue.size > 0",
    replacement: "false",
    reason: "Several loops have the same result as one loop, and only take longer."
  },
  {
    file: "src/internal/http/sharedTimer.ts",
    source: "this.isEnding = true",
    original: "true",
    replacement: "false",
    reason: "Several loops have the same result as one loop, and only take longer."
  },
  {
    file: "src/internal/batch/itemReader.ts",
    source: "if (beforeSubmit === undefined || stop.cause !== undefined) return",
    original: "stop.cause !== undefined",
    replacement: "false",
    reason: "`runUnlessStopped` does not start `beforeSubmit` after the stop. The check only saves time."
  },
  {
    file: "src/internal/batch/resume.ts",
    source: "if (reservation !== undefined) costBudget?.endReservation(reservation, settledCost(last))",
    original: "reservation !== undefined",
    replacement: "true",
    reason: "Without a budget, the optional call does nothing. The condition only narrows the type."
  },
  {
    file: "src/internal/batch/journalSql.ts",
    source: "() => unreadableRow(table, batch, item)",
    original: "() => unreadableRow(table, batch, item)",
    replacement: "() => undefined",
    reason: "The next step replaces the error."
  },
  {
    file: "src/internal/batch/journalSql.ts",
    source: "{ discard: true }",
    original: "{ discard: true }",
    replacement: "{}",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/journalSql.ts",
    source: "{ discard: true }",
    original: "true",
    replacement: "false",
    reason: "The effects have no results. The option only saves memory."
  },
  {
    file: "src/internal/batch/journalSql.ts",
    source: "const last = page.length < rowsPerPage ? undefined : page.at(-1)?.item",
    original: "page.length < rowsPerPage",
    replacement: "false",
    reason: "An empty page then ends the stream. The check only saves the query of this page."
  },
  {
    file: "src/internal/batch/journalSql.ts",
    source: "const last = page.length < rowsPerPage ? undefined : page.at(-1)?.item",
    original: "page.at(-1)?.item",
    replacement: "page.at(-1).item",
    reason: "A page of this size has a last row. The types do not contain this fact."
  },
  {
    file: "src/internal/batch/recordOutcome.ts",
    source: "...omitUndefined({ entry })",
    original: "{ entry }",
    replacement: "{}",
    reason: "The entry of an item that was not submitted is not read, because the batch has stopped."
  }
]
