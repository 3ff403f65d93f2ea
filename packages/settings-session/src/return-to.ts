// A path and a query of visible ASCII. No backslash, which browsers read as a slash, and no control characters.
const PATH = /^\/(?:[!#-[\]-~]*)$/

/**
 * A place below `base` to go on to, or undefined. Only a path is taken, so that no link of ours leads elsewhere:
 * `//host`, `/\host`, a scheme, and what dots make of a path are refused.
 */
export function parseReturnTo(value: unknown, origin: string, base: string): string | undefined {
  if (typeof value !== 'string' || value.length > 1024 || !PATH.test(value) || value.startsWith('//')) return undefined
  if (!URL.canParse(value, origin)) return undefined
  const url = new URL(value, origin)
  if (url.origin !== origin || (url.pathname !== base && !url.pathname.startsWith(`${base}/`))) return undefined
  return url.pathname.startsWith('//') ? undefined : `${url.pathname}${url.search}`
}
