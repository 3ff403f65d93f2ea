import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { RequirementLists } from './structure/citations.js'

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages')

/** Every package's own list, from its `test/requirements.ts`; a package that has none is there with an empty one. */
export async function readRequirements(): Promise<RequirementLists> {
  const lists = readdirSync(packages).map(async (folder) => {
    const file = join(packages, folder, 'test', 'requirements.ts')
    if (!existsSync(file)) return [folder, {}] as const
    const { requirements } = (await import(pathToFileURL(file).href)) as { requirements: RequirementLists[string] }
    return [folder, requirements] as const
  })
  return Object.fromEntries(await Promise.all(lists))
}
