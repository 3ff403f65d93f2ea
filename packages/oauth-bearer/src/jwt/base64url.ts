const ALPHABET = /^[A-Za-z0-9_-]*$/
/** What the last character may be when it has 2 or 4 bits that are not used. */
const LAST = [undefined, undefined, 'AQgw', 'AEIMQUYcgkosw048'] as const

/**
 * The bytes of canonical base64url (RFC 4648 §5, §3.5: no padding, no other characters, unused bits zero), or undefined.
 * Without this rule one token has many spellings, and a list of refused ones can be slipped past.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const rest = text.length % 4
  if (rest === 1 || !ALPHABET.test(text)) return undefined
  if (LAST[rest]?.includes(text.at(-1) as string) === false) return undefined
  return Buffer.from(text, 'base64url')
}
