/** What the one who kills a batch tells the process that runs it, a line each. */

/** How many items the batch works on at once. */
export const concurrency = 50

/** What the process says to one of them. */
export const heldLine = "held"

export type Order =
  /** The process has loaded all that it needs, and waits for this. */
  | { readonly _tag: "Begin" }
  /** It dies of its n-th write to a store from now on, and leaves this share of the value. */
  | { readonly _tag: "Tear"; readonly writes: number; readonly share: number }
  /** It dies when the journal has kept that the n-th outcome from now on is delivered, and before that is heard. */
  | { readonly _tag: "Keep"; readonly writes: number }
  /** Its n-th call to the journal from now on never ends, as with a disk that hangs, and nothing is written any more. It tells when. */
  | { readonly _tag: "Hold"; readonly writes: number }

export const orderLine = (order: Order): string => {
  switch (order._tag) {
    case "Begin":
      return "begin\n"
    case "Tear":
      return `tear ${order.writes} ${order.share}\n`
    case "Keep":
      return `keep ${order.writes}\n`
    case "Hold":
      return `hold ${order.writes}\n`
  }
}

export const order = (line: string): Order => {
  const [verb = "", n, share] = line.split(" ")
  const writes = Number(n)
  switch (verb) {
    case "tear":
      return { _tag: "Tear", writes, share: Number(share) }
    case "keep":
      return { _tag: "Keep", writes }
    case "hold":
      return { _tag: "Hold", writes }
    default:
      return { _tag: "Begin" }
  }
}
