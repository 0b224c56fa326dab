/**
 * Collects the texts that errors must not contain.
 *
 * @internal
 */

/** @internal The texts of a request body that errors must not quote. */
export interface PrivateTexts {
  readonly texts: ReadonlyArray<string>
  /**
   * `false` if the body contains more than 100,000 private texts. The remaining texts are then missing from `texts`.
   */
  readonly isComplete: boolean
}

/** @internal The texts that a redactor removes. */
export interface Confidential {
  readonly privateTexts?: PrivateTexts
  /**
   * The secrets, such as the API key, a signature or a header value. Secrets are removed from every text, private texts
   * only from free text.
   */
  readonly secrets?: ReadonlyArray<string>
}

/** @internal Returns the confidential texts with additional secrets. */
export const withSecrets = (confidential: Confidential = {}, secrets: ReadonlyArray<string>): Confidential => ({
  ...confidential,
  secrets: [...(confidential.secrets ?? []), ...secrets]
})

/** @internal The minimum length of a text that a redactor removes. Shorter texts occur in most messages. */
export const minWordChars = 3

/** The maximum number of texts that are collected. The redactor would take too long to search for more texts. */
const maxCollectedTexts = 100_000

/**
 * Tests whether errors must not quote a text. Texts of fewer than 3 characters are not private. Ids such as `file_…`
 * and `exec_…` are not private either.
 */
const isPrivate = (text: string): boolean =>
  text.length >= minWordChars && !/^(exec|file|wh|evt|org|key|req)_[\w-]{1,80}$/.test(text)

/** @internal Collects the private texts of a request body. */
export class TextCollector implements PrivateTexts {
  readonly texts: Array<string> = []
  isComplete = true

  add(text: string): void {
    if (!isPrivate(text)) return
    if (this.texts.length < maxCollectedTexts) this.texts.push(text)
    else this.isComplete = false
  }
}

/** @internal Collects the private texts of a JSON value. */
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
