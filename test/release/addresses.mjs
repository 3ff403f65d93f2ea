// Where a file of the repository is for readers: on the documentation's site, or on GitHub.
import { existsSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { homepageOf, root } from './repository.mjs'

/** The site; until the maintainers have named the repository, one that is nowhere. */
export const siteOf = (repository) =>
  repository.owner === null && repository.homepage === null ? 'https://countersign.example' : homepageOf(repository)

/** Where a page of the repository is on the site, without `.md`; a folder's ends with a slash. */
export function pageOf(path) {
  if (path === 'README.md') return ''
  if (path === 'docs/README.md') return 'contents'
  if (path === 'SECURITY.md') return 'security/policy'
  if (path === 'CONTRIBUTING.md') return 'contributing'
  return path
    .replace(/^docs\//, '')
    .replace(/README\.md$|(?<=^|\/)index\.md$/, '')
    .replace(/\.md$/, '')
}

const isPage = (path) => /^(docs\/.+|packages\/[^/]+\/README|README|SECURITY|CONTRIBUTING)\.md$/.test(path)

/** The address of a file that is no page. Until the repository has a name there is a page that says so. */
export function fileAddress(path, repository, kind = 'blob') {
  const { owner, name } = repository
  if (owner === null) return `${siteOf(repository)}/source`
  if (kind === 'raw') return `https://raw.githubusercontent.com/${owner}/${name}/main/${path}`
  const isFolder = statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory()
  return `https://github.com/${owner}/${name}/${isFolder ? 'tree' : 'blob'}/main/${path}`
}

/** A page's links and pictures as they are outside the repository: none is relative, but for anchors of the page. */
export function withAddresses(text, page, repository) {
  const addressed = (target, isPicture) => {
    if (/^([a-z]+:|#)/i.test(target)) return target
    const [path = '', anchor] = target.split('#')
    const file = posix.normalize(posix.join(posix.dirname(page), path)).replace(/\/$/, '')
    if (isPicture) return fileAddress(file, repository, 'raw')
    const readme = posix.join(file, 'README.md')
    const found = existsSync(join(root, readme)) ? readme : file
    const address = isPage(found) ? `${siteOf(repository)}/${pageOf(found)}` : fileAddress(file, repository)
    return anchor === undefined ? address : `${address}#${anchor}`
  }
  // Fences hold code, which has no links.
  return text
    .split(/(^\s*```[\s\S]*?^\s*```)/m)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replace(/(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g, (_all, mark, label, target) => {
            const inner = label.replace(
              /!\[([^\]]*)\]\(([^)\s]+)\)/g,
              (_, alt, image) => `![${alt}](${addressed(image, true)})`,
            )
            return `${mark}[${inner}](${addressed(target, mark === '!')})`
          }),
    )
    .join('')
}
