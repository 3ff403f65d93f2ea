// Built-ins only: this runs before anything is installed.

/** The one place where pnpm's version is named. It comes through npx, so that Node and npm are enough. */
export const PNPM_VERSION = '12.21.0'

/** Ends the process, saying what is needed, on a Node.js that is too old for the workspace. */
export function checkNode(version = process.versions.node) {
  if (isSupportedNode(version)) return
  console.error(`Node.js ${version} is too old: Countersign needs ^20.19.0 or >=22.12.0. See https://nodejs.org/`)
  process.exit(1)
}

/** Whether `require(esm)` works there without a flag: `^20.19.0 || >=22.12.0`. */
export function isSupportedNode(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
}

/** The command that runs pnpm with these arguments, for `spawn` (with `shell` on Windows, where npx is a script). */
export function pnpm(args) {
  return { command: 'npx', args: ['--yes', `pnpm@${PNPM_VERSION}`, ...args] }
}
