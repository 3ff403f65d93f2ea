import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Driver } from './driver.js'

const PROGRAMS = fileURLToPath(new URL('programs', import.meta.url))

/**
 * Installs what the agents are, outside the workspace: in the newest versions, but for what is in the given folder already.
 * Returns the folder.
 */
export function install(drivers: readonly Driver[], given?: string): string {
  const kit = given === undefined ? mkdtempSync(join(tmpdir(), 'countersign-agents-')) : resolve(given)
  mkdirSync(kit, { recursive: true })
  // A folder without one belongs to the next above it that has one.
  const manifest = join(kit, 'package.json')
  if (!existsSync(manifest)) writeFileSync(manifest, JSON.stringify({ private: true }))
  const packages = [...new Set(drivers.flatMap(({ packages }) => packages))].filter((name) => !isIn(kit, name))
  if (packages.length > 0) {
    const words = [
      'install',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      ...packages.map((name) => `${name}@latest`),
    ]
    const done = spawnSync('npm', words, { cwd: kit, stdio: 'inherit' })
    if (done.status !== 0)
      throw new Error(`npm install of ${packages.join(' ')} ended with ${done.status ?? done.error}`)
  }
  cpSync(PROGRAMS, kit, { recursive: true })
  return kit
}

const manifestOf = (kit: string, name: string) => join(kit, 'node_modules', name, 'package.json')
const isIn = (kit: string, name: string) => existsSync(manifestOf(kit, name))

/** The version of an installed package. */
export function versionIn(kit: string, name: string): string {
  return (JSON.parse(readFileSync(manifestOf(kit, name), 'utf8')) as { version: string }).version
}
