/** One line of a scrape. */
interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What Prometheus has of all processes. */
export async function scrape(urls: readonly string[]): Promise<readonly Sample[]> {
  const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()))
  return texts.flatMap((text) => text.split('\n').flatMap(parse))
}

function parse(line: string): Sample[] {
  const [, name = '', labels = '', value = ''] = /^(\w+)\{([^}]*)\} (\S+)$/.exec(line) ?? []
  if (name === '') return []
  const pairs = Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, key = '', text = '']) => [key, text] as const)
  return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
}

/** The panel "Is it safe to let signatures decide": what report mode found, by caller; `valid` left out. */
export function invalidReports(samples: readonly Sample[]): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {}
  for (const { name, labels, value } of samples) {
    const { caller = '', outcome = '' } = labels
    if (name !== 'countersign_signature_reports_total' || outcome === 'valid' || value === 0) continue
    found[caller] = [...new Set([...(found[caller] ?? []), outcome])].sort()
  }
  return found
}

/** The callers that report mode found valid signatures of. */
export function validCallers(samples: readonly Sample[]): readonly string[] {
  const valid = samples.filter(({ name, labels }) => name.endsWith('_reports_total') && labels.outcome === 'valid')
  return [...new Set(valid.map(({ labels }) => labels.caller as string))].sort()
}

/** The panels "Who is still on …": who was seen after a moment, in ms since the epoch. */
export function seenSince(
  samples: readonly Sample[],
  what: 'legacy' | 'shared_secret',
  sinceMs: number,
): readonly string[] {
  const seen = samples.filter(
    ({ name, value }) => name === `countersign_${what}_last_seen_seconds` && value * 1000 > sinceMs,
  )
  return [...new Set(seen.map(({ labels }) => labels.caller as string))].sort()
}
