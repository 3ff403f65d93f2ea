import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DefaultTheme, defineConfig } from 'vitepress'
import { fileAddress, pageOf, siteOf } from '../../test/release/addresses.mjs'
import { readJson } from '../../test/release/repository.mjs'
import { nav, sidebar } from './navigation.mts'
import { onSite } from './pages.mts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const repository = readJson('repository.json') as { owner: string | null; name: string; homepage: string | null }
const { owner, name } = repository
const site = siteOf(repository)
const base = posix.join('/', new URL(site).pathname, '/')

/** The title and the first sentence of a page, for llms.txt. */
function summaryOf(path: string): string {
  const text = readFileSync(join(root, path), 'utf8').replace(/^---\n[\s\S]*?\n---\n/, '')
  const [, title = path] = /^# (.+)$/m.exec(text) ?? []
  const paragraph = text.split(/\n{2,}/).find((each) => /^[A-Z`*]/.test(each)) ?? ''
  const plain = paragraph
    .replaceAll('\n', ' ')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replaceAll('**', '')
  const [sentence = ''] = /^.*?\.(?= |$)/.exec(plain) ?? []
  return `- [${title.replaceAll('`', '')}](${site}/${pageOf(path)})${sentence === '' ? '' : `: ${sentence.trim()}`}`
}

function llmsText(items: readonly DefaultTheme.SidebarItem[], depth = 2): string {
  return items
    .map(({ text, link, items: below }) => {
      if (below !== undefined && below.length > 0)
        return `\n${'#'.repeat(depth)} ${text}\n\n${llmsText(below, depth + 1)}`
      const path = link === undefined ? undefined : onSite.get(link.slice(1))
      return path === undefined ? '' : summaryOf(path)
    })
    .filter(Boolean)
    .join('\n')
}

export default defineConfig({
  title: 'Countersign',
  description: 'Express middleware that authenticates services, OAuth clients, agent sessions and people from a chat',
  lang: 'en',
  base,
  srcDir: '..',
  outDir: join(root, 'docs/.vitepress/dist'),
  cacheDir: join(root, 'docs/.vitepress/cache'),
  cleanUrls: true,
  lastUpdated: false,
  srcExclude: [
    '**/node_modules/**',
    '.*/**',
    'test/**',
    'packages/*/{src,test,dist,bench}/**',
    'packages/demo/**',
    'packages/*/CHANGELOG.md',
    'CODE_OF_CONDUCT.md',
  ],
  rewrites: Object.fromEntries(
    [...onSite].map(([to, from]) => [from, `${to === '' ? 'index' : to}.md`.replace(/\/\.md$/, '/index.md')]),
  ),
  sitemap: { hostname: `${site}/` },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      // What is not a page of the site is a file of the repository. Until that has a name, its link is a text.
      md.core.ruler.push('files', (state) => {
        const page = (state.env as { realPath?: string; path: string }).realPath ?? (state.env as { path: string }).path
        // A picture for each theme: VitePress resolves that of <img> alone.
        for (const token of state.tokens) {
          if (token.type === 'html_block') token.content = token.content.replaceAll(/ *<source[^>]*>\n?/g, '')
        }
        for (const token of state.tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.attrGet('href')
          if (token.type !== 'link_open' || href === null || /^([a-z]+:|#|\/)/.test(href)) continue
          const [path = '', anchor] = href.split('#')
          const target = relative(root, join(dirname(page), path)).replaceAll('\\', '/')
          const isFolder = existsSync(join(root, target, 'README.md'))
          const file = isFolder ? posix.join(target, 'README.md') : target
          const onPage = [...onSite].find(([, from]) => from === file)
          if (onPage !== undefined) token.attrSet('href', `/${onPage[0]}${anchor === undefined ? '' : `#${anchor}`}`)
          else token.attrSet('href', fileAddress(target, repository))
        }
        return true
      })
    },
    anchor: {
      // As GitHub makes them: the pages are read there, too.
      slugify: (text) =>
        text
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .trim()
          .replace(/\s/g, '-'),
    },
  },
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}mark.svg` }],
    ['meta', { name: 'color-scheme', content: 'light dark' }],
  ],
  themeConfig: {
    logo: '/mark.svg',
    nav,
    sidebar,
    search: { provider: 'local', options: { detailedView: true } },
    outline: [2, 3],
    ...(owner === null ? {} : { socialLinks: [{ icon: 'github', link: `https://github.com/${owner}/${name}` }] }),
    footer: { message: 'MIT' },
  },
  vite: {
    publicDir: join(root, 'docs/.vitepress/public'),
    // Pages outside docs/ find no vue by themselves.
    resolve: { alias: [{ find: /^vue(?=$|\/)/, replacement: join(root, 'docs/node_modules/vue') }] },
  },
  buildEnd({ outDir }) {
    const text = `# Countersign\n\n> Express middleware that authenticates four kinds of callers: another service, an OAuth client, an agent session, and a person who followed a link.\n${llmsText(sidebar['/'] as DefaultTheme.SidebarItem[])}\n`
    writeFileSync(join(outDir, 'llms.txt'), text)
  },
})
