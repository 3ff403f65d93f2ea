import { CodedTypeError } from '@countersign/core/gate-kit'
import { splitTarget } from './grammar.js'

/**
 * The request target that a client sends for a URL. A string is cut, not parsed, so that `..` and `%2e` stay as they are.
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
