const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration such as `'30s'`, `'5m'`, `'12h'` or `'1d'`; undefined for anything else. */
export function parseDuration(text: unknown): number | undefined {
  const [, digits, unit = ''] = typeof text === 'string' ? (/^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []) : []
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] as number)
}
