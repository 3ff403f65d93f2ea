/**
 * The rows of the architecture: a package needs packages of earlier rows alone, and none of its own row. So core
 * comes first, and no gate needs another gate.
 */
const ROWS = [
  ['core'],
  ['audit', 'redis', 'postgres'],
  ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session'],
  ['testing', 'cli'],
  ['demo'],
]

export const GATES = ROWS[2]
export const SCOPE = '@countersign/'

/** The folders of the packages that this one may need; undefined for a package that no row names. */
export function mayNeed(folder) {
  const row = ROWS.findIndex((names) => names.includes(folder))
  return row === -1 ? undefined : ROWS.slice(0, row).flat()
}
