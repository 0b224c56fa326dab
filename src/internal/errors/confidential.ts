/**
 * Collects the texts that no error may show.
 *
 * @internal
 */

/** @internal The texts of a request body that no error may quote. */
export interface PrivateTexts {
  readonly texts: ReadonlyArray<string>
  /** `false` if the body has more texts than were collected. */
  readonly isComplete: boolean
}

/** @internal The texts that a redactor removes. */
export interface Confidential {
  readonly privateTexts?: PrivateTexts
  /** Texts such as the API key, a signature or a header value. They are removed from identifiers as well. */
  readonly secrets?: ReadonlyArray<string>
}

/** @internal Adds secrets. */
export const withSecrets = (confidential: Confidential = {}, secrets: ReadonlyArray<string>): Confidential => ({
  ...confidential,
  secrets: [...(confidential.secrets ?? []), ...secrets]
})

/** @internal Shorter texts are too common to be removed. */
export const minWordChars = 3

/** A body with more texts is too large to be searched. */
const maxCollectedTexts = 100_000

/** References such as `file_…` and `exec_…` are not private. */
const isPrivate = (text: string): boolean =>
  text.length >= minWordChars && !/^(exec|file|wh|evt|org|key|req)_[\w-]{1,80}$/.test(text)

/** @internal Collects the texts of a body one by one. */
export class TextCollector implements PrivateTexts {
  readonly texts: Array<string> = []
  isComplete = true

  add(text: string): void {
    if (!isPrivate(text)) return
    if (this.texts.length < maxCollectedTexts) this.texts.push(text)
    else this.isComplete = false
  }
}

/** @internal Collects the texts in a JSON value. */
export const privateTextsOf = (json: unknown): PrivateTexts => {
  const collector = new TextCollector()
  const unread: Array<unknown> = [json]
  while (unread.length > 0 && collector.isComplete) {
    const next = unread.pop()
    if (typeof next === "string") collector.add(next)
    else if (typeof next === "object" && next !== null) for (const member of Object.values(next)) unread.push(member)
  }
  return collector
}
