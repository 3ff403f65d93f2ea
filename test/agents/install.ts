import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Driver } from './driver.js'

const PROGRAMS = fileURLToPath(new URL('programs', import.meta.url))

/** Installs what the agents are, in their newest versions, outside the workspace. Returns the folder. */
export function install(drivers: readonly Driver[], given?: string): string {
  const kit = given ?? mkdtempSync(join(tmpdir(), 'countersign-agents-'))
  if (given === undefined) {
    writeFileSync(join(kit, 'package.json'), JSON.stringify({ private: true }))
    const packages = [...new Set(drivers.flatMap(({ packages }) => packages))].map((name) => `${name}@latest`)
    const done = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
      cwd: kit,
      stdio: 'inherit',
    })
    if (done.status !== 0) throw new Error(`npm install of ${packages.join(' ')} ended with ${done.status}`)
  }
  cpSync(PROGRAMS, kit, { recursive: true })
  return kit
}

/** The version of an installed package. */
export function versionIn(kit: string, name: string): string {
  const file = join(kit, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
