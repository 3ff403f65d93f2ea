import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OptionError } from '@countersign/core'

/** What stands in double quotes in a shell, in TOML and in opencode's `{file:…}`, and means itself. */
const PLAIN = /^[^\u0000-\u001f"'`$\\{}]+$/

/**
 * A path as an agent is told: absolute, since it starts in a folder of its own; with `/` on Windows too. Undefined when it
 * cannot stand in a command.
 */
export function absolutePath(path: string): string | undefined {
  const resolved = resolve(path)
  const told = process.platform === 'win32' ? resolved.replaceAll('\\', '/') : resolved
  return PLAIN.test(told) ? told : undefined
}

/**
 * The command of the helper that is a part of this package. By absolute paths: an agent may have neither this package nor
 * this Node.js on its search path.
 *
 * @throws {OptionError} when a path cannot stand in a command.
 */
export function defaultHelper(): string {
  // From the sources too: what an agent starts is always the build.
  const file = absolutePath(fileURLToPath(new URL('../../dist/clients/print-credential.js', import.meta.url)))
  // Electron is no node without a variable in its environment.
  const node = process.versions.electron === undefined ? absolutePath(process.execPath) : 'node'
  if (node !== undefined && file !== undefined) return `"${node}" "${file}"`
  const message = 'toClientConfig: the path of Node.js or of this package contains quotes or $: set "helper"'
  throw new OptionError('ERR_COUNTERSIGN_OPTION_MISSING', 'helper', message)
}
