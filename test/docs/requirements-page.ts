import { posix } from 'node:path'
import { readRequirements } from '../requirements.js'
import { citationsIn, type RequirementLists } from '../structure/citations.js'
import type { SourceFile } from '../structure/source.js'
import { sourcesBelow } from '../structure/workspace.js'
import { linkSources } from './requirement-sources.js'

const PAGE = 'docs/security/requirements.md'

/** Where the design of a package is described. */
const GUIDES: Readonly<Record<string, string>> = {
  hmac: '../guides/hmac.md',
  'oauth-bearer': '../guides/oauth-bearer.md',
  'mcp-credential': '../guides/mcp-credential.md',
  'settings-session': '../guides/settings-session.md',
  cli: '../guides/command.md',
}

const HEAD = `# Requirements

<!-- Made from the packages' test/requirements.ts and the titles of their tests by npm run docs:requirements. -->

What each package must do, where that is from, and the tests that prove it. Their titles begin with the id in square
brackets: \`npm run test:quick -- -t 'hmac-tamper'\` runs those of one id. A test fails when an id is cited by no test.

*RFC*, *ASVS* ([OWASP ASVS 5.0.0](asvs.md)), *MCP* (a revision and its page) and so on: the requirement is theirs, or follows from
it. *decision*: a choice that had alternatives. *design*: our own, as the guide or README of the package has it.
`

/** Text of a cell: what Markdown or HTML would take for its own is escaped. */
const escapeCell = (text: string): string => text.replace(/[\\`*_<>|{}[\]]/g, '\\$&')

const linkFile = (path: string): string =>
  `[${posix.basename(path, '.test.ts')}](${posix.relative(posix.dirname(PAGE), path)})`

/** The page of requirements, of given lists and tests. */
export function pageOf(lists: RequirementLists, tests: readonly SourceFile[]): string {
  const cited = citationsIn(tests)
  const parts = Object.entries(lists)
    .filter(([, list]) => Object.keys(list).length > 0)
    .map(([folder, list]) => {
      const rows = Object.entries(list).map(([id, [demand, source]]) => {
        const files = (cited.get(id) ?? []).map(linkFile).join(', ')
        return `| \`${id}\` | ${escapeCell(demand)} | ${linkSources(source)} | ${files} |`
      })
      const guide = GUIDES[folder] ?? `../../packages/${folder}/README.md`
      return `## ${folder}\n\nThe design: [\`@countersign/${folder}\`](${guide}).\n\n| id | requirement | source | tests |\n|---|---|---|---|\n${rows.join('\n')}\n`
    })
  return `${HEAD}\n${parts.join('\n')}`
}

/** docs/security/requirements.md, as the packages' lists and tests have it. */
export async function requirementsPage(): Promise<string> {
  const lists = await readRequirements()
  const folders = [...Object.keys(lists).map((folder) => `packages/${folder}/test`), 'test']
  return pageOf(
    lists,
    folders.flatMap((folder) => sourcesBelow(folder)),
  )
}
