const URI = /^https?:\/\/[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/i
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/\\]*(.*)$/i
const ESCAPE = /%[0-9a-f]{2}/gi
const UNRESERVED = /^[A-Za-z0-9\-._~]$/
/** `.` and `..`, also where they are escaped. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i

/** Compares the URI in a proof with that of the request. */
export interface TargetUri {
  /** Where the request went to, as its client knows it. */
  readonly expected: string
  /** Undefined where the two are one URI; else what is different about the one in the proof. */
  differenceOf(htu: string): 'origin' | 'path' | 'prefix' | undefined
}

/**
 * The target of a request: the resource's origin, what a proxy removed, and the path as it was sent, without its query.
 * `Host` and its like have no say.
 *
 * URIs are compared after the normalisation of RFC 3986 §6.2.2 and §6.2.3, without query and fragment (RFC 9449 §4.3). A
 * request whose path has dot segments is compared as text alone: a router takes it for another path than its normal form.
 */
export function targetOf(
  originalUrl: string,
  { origin, strippedPrefix }: { origin: string; strippedPrefix: string },
): TargetUri {
  const path = pathOf(originalUrl)
  const expected = `${origin}${strippedPrefix}${path}`
  return {
    expected,
    differenceOf(htu) {
      if (htu === expected) return undefined
      const own = DOT_SEGMENT.test(path) ? undefined : normalised(expected)
      const theirs = normalised(htu)
      if (theirs === undefined || theirs.origin !== new URL(origin).origin) return 'origin'
      if (own !== undefined && theirs.path === own.path) return undefined
      return own !== undefined && theirs.path.endsWith(own.path) ? 'prefix' : 'path'
    },
  }
}

/** Of an absolute-form target (RFC 9112 §3.2.2) the path alone, as it came: a router does not normalise it. */
function pathOf(originalUrl: string): string {
  const end = originalUrl.search(/[?#]/)
  const target = end === -1 ? originalUrl : originalUrl.slice(0, end)
  const path = ABSOLUTE.exec(target)?.[1]
  return path === '' ? '/' : (path ?? target)
}

function normalised(uri: string): { readonly origin: string; readonly path: string } | undefined {
  const text = uri.split(/[?#]/, 1)[0] as string
  if (!URI.test(text) || !URL.canParse(text)) return undefined
  const { origin, pathname, username, password } = new URL(text)
  return username === '' && password === '' ? { origin, path: pathname.replace(ESCAPE, plainest) } : undefined
}

/** What need not be escaped is not; the rest is in upper case. */
function plainest(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return UNRESERVED.test(character) ? character : escaped.toUpperCase()
}
