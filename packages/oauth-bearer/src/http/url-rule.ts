import { isSecureUrl, option, type RuleBuilder } from '@countersign/core/gate-kit'

/** ASCII without what `URL` would remove, and without a fragment. */
const COMPARABLE = /^[!"$-~]+$/

/**
 * Whether a value is a URL that may carry keys and tokens: https, or http on this machine or at one of `httpOrigins`; without
 * credentials and fragment; in ASCII and without what `URL` would remove, such as the newline at the end of a file: such a text would equal
 * no issuer in a token and in metadata.
 */
export function isSafeUrlText(value: unknown, httpOrigins: readonly string[] = []): value is string {
  if (typeof value !== 'string' || !COMPARABLE.test(value) || !URL.canParse(value)) return false
  return isSafeUrl(new URL(value), httpOrigins)
}

/** As {@link isSafeUrlText}, of a URL. */
export function isSafeUrl(url: URL, httpOrigins: readonly string[] = []): boolean {
  return (
    (isSecureUrl(url) || (url.protocol === 'http:' && httpOrigins.includes(url.origin))) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === ''
  )
}

/** The rule of an option that is such a URL. */
export function urlRule(): RuleBuilder<string> {
  return option.custom<string>(
    'an https URL (http on loopback only), in ASCII, without credentials or fragment',
    (value) => (isSafeUrlText(value) ? value : undefined),
  )
}

/** As {@link urlRule}, of a URL that this gate asks: also http at an origin that the app allows. */
export function askedUrlRule(httpOrigins: readonly string[]): RuleBuilder<string> {
  return option.custom<string>(
    'an https URL (http on loopback, and at the origins in "dangerouslyAllowHttp", only), in ASCII, without credentials or fragment',
    (value) => (isSafeUrlText(value, httpOrigins) ? value : undefined),
  )
}
