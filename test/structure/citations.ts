import { readSource, type SourceFile } from './source.js'

/** What is demanded, and where the demand is from: `RFC 9449 §4.3; ASVS 9.2.2`. */
export type Requirement = readonly [demand: string, source: string]

/** The requirements of each package, by its folder and their ids. */
export type RequirementLists = Readonly<Record<string, Readonly<Record<string, Requirement>>>>

const CITED = /\[([a-z0-9]+(?:-[a-z0-9]+)*)\]/g

/** The ids that titles of tests cite, each with the files of those tests. */
export function citationsIn(tests: readonly SourceFile[]): Map<string, string[]> {
  const files = new Map<string, string[]>()
  for (const file of tests) {
    const ids = readSource(file).titles.flatMap((title) => Array.from(title.matchAll(CITED), ([, id = '']) => id))
    for (const id of new Set(ids)) files.set(id, [...(files.get(id) ?? []), file.path])
  }
  return files
}

/** Requirements that no test's title cites, ids that two packages share, and titles that cite what is in no list. */
export function checkCitations(lists: RequirementLists, tests: readonly SourceFile[]): string[] {
  const owners = new Map<string, string>()
  const complaints: string[] = []
  for (const [folder, list] of Object.entries(lists)) {
    for (const [id, [demand]] of Object.entries(list)) {
      const owner = owners.get(id)
      if (owner !== undefined) complaints.push(`${id} is a requirement of both ${owner} and ${folder}`)
      if (demand.trim() === '') complaints.push(`${folder}: ${id} does not say what it demands`)
      owners.set(id, folder)
    }
  }
  const cited = citationsIn(tests)
  for (const file of tests) {
    for (const title of readSource(file).titles) {
      // Brackets further on may be the title's own, so an unknown id is a mistake only at the head.
      const head = /^(?:\[[a-z0-9-]+\]\s*)+/.exec(title)?.[0] ?? ''
      for (const [, id = ''] of head.matchAll(CITED)) {
        if (!owners.has(id)) complaints.push(`${file.path} cites [${id}], which is not a requirement`)
      }
    }
  }
  for (const [id, folder] of owners) if (!cited.has(id)) complaints.push(`${folder}: no test cites [${id}]`)
  return complaints
}
