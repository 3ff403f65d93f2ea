import { option } from '@countersign/core/gate-kit'
import { isSafeUrl } from '../http/destination.js'

/**
 * Whether this is such a URL, as it is: without what `URL` would leave out, the line's end of a file say. It would be in no
 * token and no metadata, and every comparison would fail.
 */
export function isSafeUrlText(value: unknown): value is string {
  return typeof value === 'string' && /^[!"$-~]+$/.test(value) && URL.canParse(value) && isSafeUrl(new URL(value))
}

/** An https URL, or http on this machine. */
export const urlRule = () =>
  option.custom<string>('an https URL (http on loopback only), in ASCII, without credentials or fragment', (value) =>
    isSafeUrlText(value) ? value : undefined,
  )
