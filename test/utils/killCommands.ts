/** Defines the commands from the kill test to the process that runs a batch. Each command is one line. */

/** Number of items that the batch processes concurrently. */
export const concurrency = 50

/** Line that the process prints when its journal blocks. */
export const blockedLine = "blocked"

export type Command =
  /** Starts the batch. The process has already loaded its modules. */
  | { readonly _tag: "Begin" }
  /** Kills the process during the n-th later write to the store. The store keeps `share` of the value. */
  | { readonly _tag: "TearWrite"; readonly writes: number; readonly share: number }
  /** Kills the process after the journal has stored the n-th later delivery, before the write returns. */
  | { readonly _tag: "DieAfterDelivery"; readonly writes: number }
  /** Blocks the n-th later journal write forever, as a hanging disk would. The process prints `blockedLine`. */
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
