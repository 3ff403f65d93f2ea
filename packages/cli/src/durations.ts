import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** For commander: `90`, `90s`, `15m`, `24h` or `7d` as seconds. */
export function parseSeconds(text: string): number {
  const [, count = '', unit = 's'] = /^(\d{1,8})([smhd])?$/.exec(text) ?? []
  if (count === '') throw new InvalidArgumentError('It must look like 90s, 15m, 24h or 7d.')
  return Number(count) * (UNITS[unit] as number)
}

/** For commander: a positive integer. */
export function parsePositive(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('It must be a positive integer.')
  return Number(text)
}

/** The distance of a moment from now: `in 3 h`, `2 d ago`. */
export function relativeTime(atMs: number, nowMs: number = Date.now()): string {
  const seconds = Math.round(Math.abs(atMs - nowMs) / 1000)
  const [unit, size] =
    seconds < 120 ? ['s', 1] : seconds < 7200 ? ['min', 60] : seconds < 172_800 ? ['h', 3600] : ['d', 86_400]
  const text = `${Math.round(seconds / (size as number))} ${unit}`
  return atMs >= nowMs ? `in ${text}` : `${text} ago`
}

/** A moment in UTC, to the second. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
}
