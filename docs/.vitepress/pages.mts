import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pageOf } from '../../test/release/addresses.mjs'

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

/** The pages of the site, by their addresses: where they are in the repository. */
export const onSite: ReadonlyMap<string, string> = new Map(
  [...below('docs'), ...packages, 'README.md', 'SECURITY.md', 'CONTRIBUTING.md'].map((path) => [pageOf(path), path]),
)
