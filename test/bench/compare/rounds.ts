/** Runs contestants in turn. */
import { Effect } from "effect"

/** A named measurement. */
export interface Run<A> {
  readonly name: string
  readonly run: () => Promise<A>
}

/**
 * Runs each measurement once per round, one after the other. Returns the values by name. Discards round 0, because it
 * is the warm-up.
 */
export const alternate = <A>(
  runs: ReadonlyArray<Run<A>>,
  rounds: number
): Promise<ReadonlyMap<string, ReadonlyArray<A>>> =>
  Effect.gen(function* () {
    const round = Effect.forEach(runs, ({ run }) => Effect.promise(run))
    yield* round
    const values = yield* Effect.replicateEffect(round, rounds)
    return new Map(runs.map(({ name }, index) => [name, values.flatMap((each) => each.slice(index, index + 1))]))
  }).pipe(Effect.runPromise)
