export const GATES = ['hmac', 'mcp', 'settings', 'oauth'] as const
export type Gate = (typeof GATES)[number]

/** What the honest requests to one gate were answered, and what must not have happened. */
export interface Counts {
  granted: number
  denied: number
  unavailable: number
  /** Any other status, or no answer. */
  other: number
  /** Uses of what was ended or used before, that were refused. */
  refused: number
  /** Uses that were granted after the end was acknowledged, and ends that came after their 503. */
  late: number
  /** Signatures, issues and links that counted more than once. */
  twice: number
}

export type Tally = Readonly<Record<Gate, Counts>>

const none = (): Counts => ({ granted: 0, denied: 0, unavailable: 0, other: 0, refused: 0, late: 0, twice: 0 })
export const newTally = (): Tally => ({ hmac: none(), mcp: none(), settings: none(), oauth: none() })

export function count(counts: Counts, status: number): void {
  if (status === 200) counts.granted += 1
  else if (status === 401) counts.denied += 1
  else if (status === 503) counts.unavailable += 1
  else counts.other += 1
}

const TITLES: Record<Gate, string> = {
  hmac: '`requireHmac`',
  mcp: '`requireMcpCredential`',
  settings: '`requireSettingsSession`',
  oauth: '`requireOAuthBearer`',
}

/** Faults × gates in Markdown. */
export function markdown(rows: readonly (readonly [fault: string, tally: Tally])[]): string {
  const lines = rows.flatMap(([fault, tally]) =>
    GATES.map((gate, index) => {
      const { granted, denied, unavailable, other, refused, late, twice } = tally[gate]
      const cells = [index === 0 ? fault : '', TITLES[gate], granted, denied, unavailable, other, refused, late, twice]
      return `| ${cells.join(' | ')} |`
    }),
  )
  return [
    '| fault | gate | 200 | 401 | 503 | other | misuse refused | too late | twice |',
    '|---|---|---:|---:|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}
