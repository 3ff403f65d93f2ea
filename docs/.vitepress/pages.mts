import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

function below(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') return []
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return below(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const packages = readdirSync(join(root, 'packages'))
  .map((name) => `packages/${name}/README.md`)
  .filter((path) => existsSync(join(root, path)))

/** Where a page of the repository is on the site, without `.md`; a folder's ends with a slash. */
export function pageOf(path: string): string {
  if (path === 'README.md') return ''
  if (path === 'docs/README.md') return 'contents'
  if (path === 'SECURITY.md') return 'security/policy'
  if (path === 'CONTRIBUTING.md') return 'contributing'
  return path
    .replace(/^docs\//, '')
    .replace(/README\.md$|(?<=^|\/)index\.md$/, '')
    .replace(/\.md$/, '')
}

/** The pages of the site, by their addresses: where they are in the repository. */
export const onSite: ReadonlyMap<string, string> = new Map(
  [...below('docs'), ...packages, 'README.md', 'SECURITY.md', 'CONTRIBUTING.md'].map((path) => [pageOf(path), path]),
)
