/** Finds the links in the generated pages that lead to a missing page or anchor. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const attributes = (html: string, name: string): ReadonlyArray<string> =>
  Array.from(html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, "g")), ([, value = ""]) => value.replaceAll("&amp;", "&"))

/** Returns one line for each broken link in the pages of a folder. Ignores links to other sites. */
export const brokenLinks = (folder: string): ReadonlyArray<string> => {
  const anchors = new Map(
    readdirSync(folder, { encoding: "utf8", recursive: true })
      .filter((file) => file.endsWith(".html"))
      .map((file) => {
        const html = readFileSync(join(folder, file), "utf8")
        return [file, { html, ids: new Set(attributes(html, "id")) }] as const
      })
  )
  return Array.from(anchors).flatMap(([file, { html }]) =>
    [...attributes(html, "href"), ...attributes(html, "src")].flatMap((link) => {
      if (/^([a-z]+:|#$|data:)/.test(link)) return []
      const [path = "", anchor = ""] = decodeURI(link)
        .replace(/\?[^#]*/, "")
        .split("#")
      const target = path === "" ? file : relative("", join(dirname(file), path))
      const page = anchors.get(target)
      const isBroken = page === undefined ? !existsSync(join(folder, target)) : anchor !== "" && !page.ids.has(anchor)
      return isBroken ? [`${file} contains the broken link ${link}`] : []
    })
  )
}
