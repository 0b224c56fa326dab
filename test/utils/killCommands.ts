/** The commands that the killing process sends to the process that runs a batch, one per line. */

/** How many items the batch processes at once. */
export const concurrency = 50

/** The line that the process prints when its journal blocks. */
export const blockedLine = "blocked"

export type Command =
  /** Starts the batch. The process has loaded its modules and waits for this. */
  | { readonly _tag: "Begin" }
  /** Dies during the n-th write to a store from now on, and leaves this share of the value. */
  | { readonly _tag: "TearWrite"; readonly writes: number; readonly share: number }
  /** Dies after the journal has stored the n-th delivery from now on, before the batch learns of it. */
  | { readonly _tag: "DieAfterDelivery"; readonly writes: number }
  /** Blocks the n-th write of the journal from now on forever, like a disk that hangs, and prints `blockedLine`. */
  | { readonly _tag: "BlockWrite"; readonly writes: number }

export const formatCommand = (command: Command): string => {
  switch (command._tag) {
    case "Begin":
      return "begin\n"
    case "TearWrite":
      return `tear ${command.writes} ${command.share}\n`
    case "DieAfterDelivery":
      return `die-after-delivery ${command.writes}\n`
    case "BlockWrite":
      return `block ${command.writes}\n`
  }
}

export const parseCommand = (line: string): Command => {
  const [verb = "", n, share] = line.split(" ")
  const writes = Number(n)
  switch (verb) {
    case "tear":
      return { _tag: "TearWrite", writes, share: Number(share) }
    case "die-after-delivery":
      return { _tag: "DieAfterDelivery", writes }
    case "block":
      return { _tag: "BlockWrite", writes }
    default:
      return { _tag: "Begin" }
  }
}
