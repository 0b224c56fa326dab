/**
 * Excludes texts for people and the identifiers of this package from the mutants of Stryker. The tests check the facts in a message, and not
 * its wording. Wire names, header names, error codes, span names and attribute names stay mutants.
 */
import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin"

/** Matches three lower-case words in a row. No wire name, header name or error code contains such words. */
const sentence = /[a-z']+,? [a-z']+,? [a-z']+/

/**
 * Returns the literal text of a node.
 *
 * @param {{ readonly type: string, readonly value?: unknown, readonly quasis?: ReadonlyArray<{ readonly value: { readonly raw: string } }> }} node
 */
const textOf = (node) =>
  node.type === "StringLiteral" && typeof node.value === "string"
    ? node.value
    : node.type === "TemplateLiteral"
      ? (node.quasis ?? []).map(({ value }) => value.raw).join("value")
      : undefined

/** @param {{ readonly node: Parameters<typeof textOf>[0] }} path */
const shouldIgnore = ({ node }) => {
  const text = textOf(node)
  if (text === undefined) return undefined
  if (sentence.test(text)) return "The wording of a text is not a contract."
  return text.startsWith("effect-modelroute/") ? "The identifier has no effect on the behaviour." : undefined
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "texts", { shouldIgnore })]
