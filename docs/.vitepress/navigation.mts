import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DefaultTheme } from 'vitepress'
import { onSite } from './pages.mts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A page by its address, with its own title unless a shorter one is given. */
function page(link: string, text?: string): DefaultTheme.SidebarItem {
  const path = onSite.get(link)
  if (path === undefined) throw new Error(`/${link} is not a page of the site`)
  const [, title = link] = /^# (.+)$/m.exec(readFileSync(join(root, path), 'utf8')) ?? []
  return { text: text ?? title.replaceAll('`', ''), link: `/${link}` }
}

/** Every page of a folder, but its own. */
function folder(prefix: string): DefaultTheme.SidebarItem[] {
  return [...onSite.keys()]
    .filter((link) => link.startsWith(prefix) && link !== prefix)
    .sort()
    .map((link) => page(link))
}

/** The recipes of each kind; beside every page they would be too many, so each page of theirs has them beside it. */
const recipesByKind = [
  { text: 'Agents', items: folder('recipes/agents/') },
  { text: 'Chats', items: folder('recipes/chats/') },
  { text: 'OAuth providers', items: folder('recipes/providers/') },
]
const recipes = folder('recipes/').filter(({ link = '' }) => !/^\/recipes\/.+\//.test(link))

const start: DefaultTheme.SidebarItem[] = [
  {
    text: 'Start here',
    items: [
      page('', 'What it is'),
      page('start', 'Four short paths'),
      page('demo', 'The demo'),
      page('contents', 'All pages by question'),
    ],
  },
  {
    text: 'Packages',
    items: [
      'hmac',
      'oauth-bearer',
      'mcp-credential',
      'settings-session',
      'core',
      'audit',
      'redis',
      'postgres',
      'testing',
      'cli',
    ].map((name) => page(`packages/${name}/`)),
  },
  {
    text: 'Guides',
    items: [
      page('guides/hmac'),
      page('guides/oauth-bearer'),
      page('guides/oauth-providers'),
      page('guides/why-is-my-token-refused'),
      page('guides/sender-constrained-tokens'),
      page('guides/mcp-credential'),
      page('guides/hosted-mcp-server'),
      page('guides/settings-session'),
      page('guides/websockets'),
      page('guides/command'),
      page('guides/test-your-app'),
      page('write-your-own-gate'),
    ],
  },
  {
    text: 'Recipes',
    items: [
      page('guides/nestjs', 'NestJS'),
      ...recipes,
      ...recipesByKind.flatMap(({ text, items: [first] }) =>
        first?.link === undefined ? [] : [{ text: `${text} …`, link: first.link }],
      ),
    ],
  },
  { text: 'Examples', items: folder('examples/') },
  { text: 'Migration', items: folder('migration/') },
  {
    text: 'Operations',
    items: [
      page('operations/observability'),
      page('operations/stores'),
      page('operations/postgresql'),
      page('operations/capacity'),
      page('operations/doctor'),
      page('operations/incident-playbook'),
      page('operations/faults'),
      page('operations/state-changes'),
      page('platforms'),
      page('agents'),
      page('performance'),
      page('performance-details'),
      page('console'),
    ],
  },
  {
    text: 'Security',
    items: [
      page('security/policy'),
      page('security/promises'),
      page('security/requirements'),
      page('security/mutation'),
      page('security/threat-model'),
      page('security/asvs'),
      page('security/asvs-hmac'),
      page('security/asvs-oauth-bearer'),
      page('security/asvs-mcp-credential'),
      page('security/asvs-settings-session'),
      page('security/mcp-authorization'),
      page('security/dpop'),
      page('security/mtls'),
    ],
  },
  {
    text: 'Look up',
    items: [page('errors/'), { text: 'Reference', link: '/reference/' }, page('decisions/'), page('contributing')],
  },
]

const contents: DefaultTheme.SidebarItem = { text: 'Start', items: [page('contents', 'All pages by question')] }

/** A list of its own beside the pages of a folder: hundreds of links beside every page are of no use. */
function own(text: string, prefix: string): DefaultTheme.SidebarItem[] {
  return [contents, { text, items: [page(prefix, 'All of them'), ...folder(prefix)] }]
}

export const sidebar: DefaultTheme.SidebarMulti = {
  '/errors/': own('Errors and warnings', 'errors/'),
  '/reference/': own('Reference', 'reference/'),
  '/decisions/': own('Decisions', 'decisions/'),
  '/recipes/': [contents, { text: 'Recipes', items: recipes }, ...recipesByKind],
  '/': start,
}

export const nav: DefaultTheme.NavItem[] = [
  { text: 'Guides', link: '/contents' },
  { text: 'Reference', link: '/reference/' },
  { text: 'Errors', link: '/errors/' },
  { text: 'Security', link: '/security/promises' },
]
