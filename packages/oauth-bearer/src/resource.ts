/** The well-known part of where a resource's metadata is (RFC 9728 §3). */
export const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/**
 * The spellings of one resource that clients ask tokens for: as configured, and as a URL parser writes it, which is what
 * many clients send. At the root of a host an empty path and `/` are one resource (RFC 3986 §6.2.3). Of any other path, a
 * slash at its end is another resource. What is no URL has one spelling.
 */
export function resourceSpellings(resource: string): readonly string[] {
  if (!URL.canParse(resource)) return [resource]
  const { href, origin } = new URL(resource)
  return Object.freeze([...new Set([resource, href, ...(href === `${origin}/` ? [origin] : [])])])
}

/** Where a resource's metadata is: the well-known part goes between host and path (RFC 9728 §3.1). */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}${WELL_KNOWN}${pathname === '/' ? '' : pathname}${search}`
}
