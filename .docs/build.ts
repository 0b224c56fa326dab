/**
 * Builds the API reference in `out/docs` from the docstrings in `src`. Fails if a docstring is incomplete or if a link
 * is broken.
 *
 *     npm run docs
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as TypeDoc from "typedoc"
import { brokenLinks } from "./brokenLinks.js"
import { addComments } from "./comments.js"
import { addDocuments } from "./documents.js"
import { findGaps } from "./gaps.js"
import { categoryOrder, entryPoints, sortModules } from "./modules.js"
import { simplify } from "./simplify.js"
import { ReferenceTheme } from "./theme.js"
import { keepAliases } from "./types.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const out = join(root, "out/docs")

const app = await TypeDoc.Application.bootstrap({
  name: "effect-modelroute",
  entryPoints: [],
  tsconfig: join(root, "src/tsconfig.json"),
  readme: join(root, "README.md"),
  favicon: join(root, ".docs/favicon.svg"),
  customCss: join(root, ".docs/style.css"),
  includeVersion: true,
  hideGenerator: true,
  // The pages must not contain the paths of internal modules.
  disableSources: true,
  excludeInternal: true,
  excludeExternals: true,
  excludePrivate: true,
  includeHierarchySummary: false,
  router: "structure",
  sort: ["source-order"],
  sortEntryPoints: false,
  categorizeByGroup: false,
  categoryOrder: [...categoryOrder],
  groupOrder: ["Properties", "Accessors", "Methods", "Constructors", "*"],
  navigation: {
    includeCategories: true,
    includeGroups: false,
    includeFolders: false,
    compactFolders: true,
    excludeReferences: true
  },
  useFirstParagraphOfCommentAsSummary: true,
  searchInComments: true,
  searchInDocuments: true,
  typePrintWidth: 100,
  validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: false, notDocumented: false }
})
app.renderer.defineTheme("reference", ReferenceTheme)
app.options.setValue("theme", "reference")
keepAliases(app.converter)
app.converter.on(TypeDoc.Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  simplify(project)
  addDocuments(project, root)
  addComments(project, root)
})
app.converter.on(TypeDoc.Converter.EVENT_RESOLVE_END, ({ project }) => sortModules(project), -1000)

const fail = (problems: ReadonlyArray<string>): void => {
  for (const problem of problems) app.logger.error(problem as TypeDoc.TranslatedString)
}

const project = app.converter.convert(entryPoints(root))
app.validate(project)
fail(findGaps(project))
await app.generateDocs(project, out)
fail(brokenLinks(out))
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1
