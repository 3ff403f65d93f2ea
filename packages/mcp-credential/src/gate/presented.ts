import type { IncomingMessage } from 'node:http'
import type { Authorization } from '@countersign/core/gate-kit'

/** What a request presents: a token to look at, or a reason to refuse. */
export type Presented =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused'; readonly reason: 'missing' | 'ambiguous' | 'malformed' | 'placeholder' }

const REFUSED = Object.freeze({
  missing: Object.freeze({ kind: 'refused', reason: 'missing' }),
  ambiguous: Object.freeze({ kind: 'refused', reason: 'ambiguous' }),
  malformed: Object.freeze({ kind: 'refused', reason: 'malformed' }),
  placeholder: Object.freeze({ kind: 'refused', reason: 'placeholder' }),
} as const)

/** `${VAR}`, `$VAR`, `{env:VAR}`, `{{VAR}}`, `%VAR%`: what clients leave standing when a variable is not set. */
const PLACEHOLDER = /^[Bb][Ee][Aa][Rr][Ee][Rr] +(?:\$\{|\$[A-Za-z_]|\{env:|\{\{|%[A-Za-z_]\w*%)/
const MAX_PLACEHOLDER_LENGTH = 256

/**
 * Reads one `Authorization` field, `Bearer` in any case (RFC 6750 §2.1). Another scheme counts as nothing presented
 * (RFC 6750 §3.1).
 */
export function presentedIn(request: IncomingMessage, authorization: Authorization): Presented {
  if (authorization.kind === 'none') return REFUSED.missing
  if (authorization.kind === 'duplicated') return REFUSED.ambiguous
  if (authorization.kind === 'credentials') {
    return authorization.scheme === 'bearer' ? { kind: 'token', token: authorization.token } : REFUSED.missing
  }
  return isPlaceholder(request.headers.authorization ?? '') ? REFUSED.placeholder : REFUSED.malformed
}

function isPlaceholder(value: string): boolean {
  if (value.length > MAX_PLACEHOLDER_LENGTH) return false
  return PLACEHOLDER.test(value) || /^bearer$/i.test(value)
}
