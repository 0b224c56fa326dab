/**
 * The bytes of an upload on their way: exactly as many as were promised, each told of once, and none of them stuck.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Progress, Source } from "../File.js"
import type { InvalidRequest } from "../ModelRouteError.js"
import { invalid } from "./invalid.js"
import type { Account } from "./telemetry.js"
import type { TimeLimit } from "./timeLimit.js"

const operation = "files.upload"

const nothing = new Uint8Array(0)

/** The platform's client for node:http waits for room between the parts of a chunk only, and would buffer all of a large file. */
const inParts = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const half = bytes.length >> 1
  return [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0)
}

/** @internal The bytes of one source, for as many attempts as it takes. */
export class BytesSent<E> {
  /** Over all attempts: what is sent again is not told of again. */
  private furthest = -1
  private runs = 0
  /** Since when the transport has taken nothing, in epoch milliseconds; `undefined` while the source is at work. */
  private idleSince: number | undefined

  constructor(
    private readonly source: Source<E>,
    private readonly account: Account,
    private readonly onProgress: (progress: Progress) => Effect.Effect<void>,
    /** The source's own end, which no attempt can change. */
    private readonly broken: Deferred.Deferred<never, E | InvalidRequest>
  ) {}

  /**
   * Made again at each attempt. The chunk that completes the size is held back until the source has ended: a source that goes
   * on must not leave a whole file behind.
   */
  readonly stream: Stream.Stream<Uint8Array, E | InvalidRequest> = Stream.unwrapScoped(
    Effect.suspend(() =>
      Effect.map(Stream.toPull(this.source.stream), (pull) => {
        this.runs += 1
        let sent = 0
        let last: Uint8Array | undefined
        let ended = false

        const taken = (chunks: Chunk.Chunk<Uint8Array>): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
          const ready: Array<Uint8Array> = []
          for (const bytes of chunks) {
            if (bytes.length === 0) continue
            sent += bytes.length
            if (sent > this.source.size) return Effect.fail(this.miscounted(`more than its ${this.source.size} bytes`))
            if (sent === this.source.size) last = bytes
            else ready.push(...inParts(bytes))
          }
          const handed = sent - (last?.length ?? 0)
          return Effect.as(ready.length === 0 ? Effect.void : this.tell(handed), Chunk.unsafeFromArray(ready))
        }

        const complete = Effect.suspend((): Effect.Effect<Chunk.Chunk<Uint8Array>, InvalidRequest> => {
          ended = true
          if (sent < this.source.size) {
            return Effect.fail(this.miscounted(`only ${sent} of its ${this.source.size} bytes`))
          }
          return Effect.as(this.tell(sent), Chunk.unsafeFromArray(inParts(last ?? nothing)))
        })

        return Stream.repeatEffectChunkOption(
          Effect.suspend(() => {
            if (ended) return Effect.fail(Option.none())
            this.idleSince = undefined
            return Effect.matchEffect(pull, {
              onSuccess: taken,
              onFailure: Option.match({
                onNone: () => complete,
                onSome: (error): Effect.Effect<Chunk.Chunk<Uint8Array>, E | InvalidRequest> => Effect.fail(error)
              })
            }).pipe(
              Effect.tapErrorCause((cause) =>
                Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.failCause(this.broken, cause)
              ),
              Effect.mapError(Option.some<E | InvalidRequest>),
              Effect.zipLeft(this.handedOver)
            )
          })
        )
      })
    )
  )

  /** Fails an attempt when the other side takes nothing, or does not answer, for so long. */
  limit(millis: number): TimeLimit {
    const watch = <E2>(onTimeout: () => E2): Effect.Effect<never, E2> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const left = this.idleSince === undefined ? millis : this.idleSince + millis - now
        return left > 0
          ? Effect.zipRight(
              Effect.sleep(left),
              Effect.suspend(() => watch(onTimeout))
            )
          : Effect.failSync(onTimeout)
      })
    return (attempt, onTimeout) =>
      Effect.zipRight(this.handedOver, Effect.raceFirst(attempt, Effect.interruptible(watch(onTimeout))))
  }

  private readonly handedOver: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    this.idleSince = now
  })

  private tell(sent: number): Effect.Effect<void> {
    if (sent <= this.furthest) return Effect.void
    this.furthest = sent
    return this.onProgress({ sent, size: this.source.size })
  }

  private miscounted(found: string): InvalidRequest {
    const [problem, cure] =
      this.runs > 1
        ? [`has ${found} when it is run again`, "Give a stream that can be run anew."]
        : [`has ${found}`, "Give the size of what its stream holds."]
    return invalid(operation, "source", problem, cure, this.account.attempts)
  }
}
