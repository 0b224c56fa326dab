import { assert, describe, it } from "@effect/vitest"
import { FairQueue, type Queued } from "../../src/internal/rateLimit/fairQueue.js"

describe("FairQueue", () => {
  interface NamedRequest extends Queued {
    readonly name: string
  }
  const makeRequest = (name: string, requestClass: Queued["requestClass"], isRetry = false): NamedRequest => ({
    name,
    requestClass,
    isRetry
  })
  const takeAll = (queue: FairQueue<NamedRequest>) => {
    const names: Array<string> = []
    for (let next = queue.take(); next !== undefined; next = queue.take()) names.push(next.name)
    return names
  }

  it("takes requests from the request classes in turn, with retries before first attempts", () => {
    const queue = new FairQueue<NamedRequest>()
    for (const name of ["s1", "s2", "s3", "s4"]) queue.add(makeRequest(name, "submissions"))
    for (const name of ["p1", "p2"]) queue.add(makeRequest(name, "polls"))
    queue.add(makeRequest("c1", "calls"))
    queue.add(makeRequest("s0", "submissions", true))
    assert.deepStrictEqual(takeAll(queue), ["s0", "p1", "c1", "s1", "p2", "s2", "s3", "s4"])
  })

  it("removes a request only once", () => {
    const queue = new FairQueue<NamedRequest>()
    const [a, b, c] = [makeRequest("a", "polls"), makeRequest("b", "polls"), makeRequest("c", "polls")]
    for (const request of [a, b, c]) queue.add(request)
    assert.deepStrictEqual([queue.remove(b), queue.remove(b), queue.size], [true, false, 2])
    assert.deepStrictEqual(takeAll(queue), ["a", "c"])
    assert.strictEqual(queue.size, 0)
  })

  it("counts the requests that precede each queued request", () => {
    const queue = new FairQueue<NamedRequest>()
    for (const name of ["s1", "s2", "s3"]) queue.add(makeRequest(name, "submissions"))
    queue.add(makeRequest("p1", "polls"))
    assert.deepStrictEqual(
      [queue.countAhead("submissions"), queue.countAhead("polls"), queue.countAhead("calls")],
      [4, 2, 0]
    )
    assert.deepStrictEqual(
      Array.from(queue, ([{ name }, ahead]) => [name, ahead]),
      [
        ["s1", 0],
        ["s2", 2],
        ["s3", 3],
        ["p1", 0]
      ]
    )
  })
})

describe("FairQueue with cancel requests", () => {
  const makeQueue = (...requests: ReadonlyArray<Queued>) => {
    const queue = new FairQueue<Queued>()
    for (const request of requests) queue.add(request)
    return queue
  }
  const cancel: Queued = { requestClass: "cancels", isRetry: false }
  const poll: Queued = { requestClass: "polls", isRetry: false }
  const call: Queued = { requestClass: "calls", isRetry: false }

  it("takes cancel requests before all other requests", () => {
    const other = { ...cancel }
    const queue = makeQueue(poll, call, cancel, other)
    assert.deepStrictEqual([queue.take(), queue.take()], [cancel, other])
    assert.deepStrictEqual([queue.take(), queue.take(), queue.take()], [poll, call, undefined])
  })

  it("counts cancel requests ahead of all other requests", () => {
    const queue = makeQueue(cancel, poll, { ...poll }, { ...poll, isRetry: true }, { ...cancel })
    assert.deepStrictEqual(
      [queue.countAhead("cancels"), queue.countAhead("polls"), queue.countAhead("calls")],
      [2, 5, 2]
    )
  })

  it("iterates over retries before first attempts of the same class", () => {
    const retry: Queued = { ...poll, isRetry: true }
    assert.deepStrictEqual(Array.from(makeQueue(poll, retry, cancel)), [
      [cancel, 0],
      [retry, 1],
      [poll, 2]
    ])
  })

  it("does not count removed requests", () => {
    const [first, second] = [{ ...poll }, { ...poll }]
    const queue = makeQueue(first, second)
    queue.take()
    assert.strictEqual(queue.countAhead("polls"), 1)
    queue.remove(second)
    assert.strictEqual(queue.countAhead("polls"), 0)
  })

  it("continues with the class whose last turn is longest ago", () => {
    const queue = makeQueue({ ...poll }, { ...call }, { ...poll }, { ...call })
    const taken = [queue.take(), queue.take(), queue.take(), queue.take()]
    assert.deepStrictEqual(
      taken.map((request) => request?.requestClass),
      ["polls", "calls", "polls", "calls"]
    )
  })
})
