/** Lists the mutants that no test can or should detect. The command does not count them. */

/** A mutant that behaves like the original code, or that changes nothing that callers rely on. */
export interface Equivalent {
  readonly file: string
  /** The line of the original code, without indentation. */
  readonly source: string
  /** Name of Stryker's mutator. */
  readonly mutator: string
  /** The code of the mutant. Default: every mutant of the mutator on this line. */
  readonly replacement?: string
  readonly reason: string
}

export const equivalents: ReadonlyArray<Equivalent> = []
