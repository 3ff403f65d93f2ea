import { isSecureUrl, option, type RuleBuilder } from '@countersign/core/gate-kit'

/**
 * Whether a value is a URL that may carry keys and tokens: https, or http on this machine; without credentials and
 * fragment; in ASCII and without what `URL` would remove, such as the newline at the end of a file: such a text would equal
 * no issuer in a token and in metadata.
 */
export function isSafeUrlText(value: unknown): value is string {
  return typeof value === 'string' && /^[!"$-~]+$/.test(value) && URL.canParse(value) && isSafeUrl(new URL(value))
}

/** Whether a URL may carry keys and tokens: https, or http on this machine; without credentials and fragment. */
export function isSafeUrl(url: URL): boolean {
  return isSecureUrl(url) && url.username === '' && url.password === '' && url.hash === ''
}

/** The rule of an option that is such a URL. */
export function urlRule(): RuleBuilder<string> {
  return option.custom<string>(
    'an https URL (http on loopback only), in ASCII, without credentials or fragment',
    (value) => (isSafeUrlText(value) ? value : undefined),
  )
}
