import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'

/** A Markdown page of the project, its path from the root. */
export interface Page {
  readonly path: string
  readonly text: string
}

/** A fenced block of code. */
export interface Fence {
  readonly page: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  readonly language: string
  /** Of which whole program it is a part: a file, or a page whose first program that is. Undefined for a whole one. */
  readonly partOf?: string
  readonly code: string
}

/** Every page: those at the top, below `docs`, and each package's own. */
export function readPages(): Page[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'))
  const packages = readdirSync(join(root, 'packages')).flatMap((folder) =>
    readdirSync(join(root, 'packages', folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `packages/${folder}/${name}`),
  )
  return [...top, ...pagesBelow('docs'), ...packages].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  }))
}

/** What the site is made of besides pages, and what is made for it. */
const NOT_PAGES = ['.vitepress', 'node_modules', 'reference']

function pagesBelow(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    if (NOT_PAGES.includes(name)) return []
    const path = `${folder}/${name}`
    if (statSync(join(root, path)).isDirectory()) return pagesBelow(path)
    return name.endsWith('.md') ? [path] : []
  })
}

/** The fenced blocks of a page, those in lists too. */
export function fencesOf({ path, text }: Page): Fence[] {
  const fences: Fence[] = []
  let open: { indent: string; language: string; partOf: string | undefined; line: number; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const mark = /^(\s*)```(\S*)(?: part of (\S+))?/.exec(line)
    if (open === undefined && mark !== null) {
      const [, indent = '', language = '', partOf] = mark
      open = { indent, language, partOf, line: index + 2, lines: [] }
    } else if (open !== undefined && mark !== null && mark[2] === '') {
      const { line: first, language, partOf, lines } = open
      fences.push({ page: path, line: first, language, code: lines.join('\n'), ...(partOf && { partOf }) })
      open = undefined
    } else if (open !== undefined) {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line)
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line - 1}: the block does not end`)
  return fences
}

/** The targets of a page's links, with the lines that they stand on; code is left out. */
export function linksOf({ text }: Page): { target: string; line: number }[] {
  let inFence = false
  return text.split('\n').flatMap((line, index) => {
    if (/^\s*```/.test(line)) inFence = !inFence
    if (inFence) return []
    const prose = line.replace(/`[^`]*`/g, '')
    return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => ({ target, line: index + 1 }))
  })
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf({ text }: Page): Set<string> {
  const headings = text.matchAll(/^#{1,6} (.+)$/gm)
  return new Set(
    Array.from(headings, ([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    ),
  )
}
