// Tags the commit with each version that has no tag yet, and pushes the tags. The workflow `release` runs it.
import { execFileSync } from 'node:child_process'
import { publicPackages } from './repository.mjs'

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' })
const known = new Set(
  git('ls-remote', '--tags', 'origin')
    .split('\n')
    .map((line) => line.split('refs/tags/')[1]),
)
const tags = publicPackages()
  .map(({ manifest }) => `${manifest.name}@${manifest.version}`)
  .filter((tag) => !known.has(tag))
for (const tag of tags) git('tag', tag)
if (tags.length > 0) git('push', 'origin', ...tags.map((tag) => `refs/tags/${tag}`))
console.log(tags.length === 0 ? 'Every version has its tag.' : tags.join('\n'))
