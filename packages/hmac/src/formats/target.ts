import { CodedTypeError } from '@countersign/core/gate-kit'

/** A request target in its parts, raw. */
export interface Target {
  readonly path: string
  /** With its leading `?`; undefined when there is no `?`. */
  readonly query: string | undefined
}

// What a request line can carry of an origin-form target (RFC 9112 §3.2.1): no space, no control, no fragment.
const ORIGIN_FORM = /^\/[^\x00-\x20\x7f#]*$/

/**
 * Splits an origin-form target without touching a byte of it. Undefined for every other form: an absolute one would
 * name an authority beside the audience.
 */
export function splitTarget(target: string): Target | undefined {
  if (!ORIGIN_FORM.test(target)) return undefined
  const mark = target.indexOf('?')
  return mark === -1 ? { path: target, query: undefined } : { path: target.slice(0, mark), query: target.slice(mark) }
}

/**
 * The target that a client sends for a URL: a string is cut, not parsed, so that `..` and `%2e` stay as they are.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_HMAC_URL_INVALID` for what cannot be sent in a request line.
 */
export function targetOf(url: string | URL): string {
  const text = typeof url === 'string' ? url : String(url?.href)
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0]
  const withoutFragment = text.split('#', 1)[0] as string
  const rest = scheme === undefined ? withoutFragment : afterAuthority(withoutFragment.slice(scheme.length))
  if (splitTarget(rest) === undefined || !/^[\x21-\x7e]*$/.test(rest)) {
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_HMAC_URL_INVALID',
      'sign: "url" must be an absolute URL or a path that starts with "/", percent-encoded',
    )
  }
  return rest
}

function afterAuthority(text: string): string {
  const start = text.search(/[/?]/)
  if (start === -1) return '/'
  return text[start] === '?' ? `/${text.slice(start)}` : text.slice(start)
}
