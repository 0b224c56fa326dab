/** The figures of the comparison benchmark. */

/** One measured value of one contestant. */
export interface Figure {
  /** Name of the measured value, for example `create, 64 concurrent: CPU`. */
  readonly row: string
  readonly contestant: string
  readonly value: number
  readonly unit: "us" | "ms" | "KB"
}

/** A comparison of two contestants in the same row and the same run. */
export interface Ratio {
  readonly row: string
  readonly contestant: string
  readonly peer: string
  readonly ratio: number
}

/** A group of rows that is measured in one child process. */
export interface Group {
  readonly name: string
  /** Flags of the child process, in addition to `--expose-gc`. */
  readonly nodeFlags?: ReadonlyArray<string>
  /** Measures the figures in `rounds` rounds. Alternates the contestants and returns medians. */
  readonly measure: (rounds: number) => Promise<ReadonlyArray<Figure>>
  /** The comparisons of the group. */
  readonly ratios: ReadonlyArray<{ readonly contestant: string; readonly peer: string }>
}

/** Returns the median, or `NaN` without values. */
export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Returns the difference between two contestants in each row, as the figure of `contestant`. */
export const toDifference = (
  figures: ReadonlyArray<Figure>,
  names: { readonly contestant: string; readonly minuend: string; readonly subtrahend: string }
): ReadonlyArray<Figure> =>
  figures.flatMap((figure) => {
    const other = figures.find(({ contestant, row }) => row === figure.row && contestant === names.subtrahend)
    return figure.contestant === names.minuend && other !== undefined
      ? [{ ...figure, contestant: names.contestant, value: figure.value - other.value }]
      : []
  })

/** Returns the ratios of a group. Omits the rows that do not contain both contestants. */
export const ratiosOf = (figures: ReadonlyArray<Figure>, comparisons: Group["ratios"]): ReadonlyArray<Ratio> =>
  [...new Set(figures.map(({ row }) => row))].flatMap((row) =>
    comparisons.flatMap(({ contestant, peer }) => {
      const valueOf = (name: string) =>
        figures.find((figure) => figure.row === row && figure.contestant === name)?.value
      const own = valueOf(contestant)
      const other = valueOf(peer)
      return own === undefined || other === undefined ? [] : [{ row, contestant, peer, ratio: own / other }]
    })
  )
