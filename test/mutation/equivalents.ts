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
  }
]
