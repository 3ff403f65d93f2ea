const ALPHABET = /^[A-Za-z0-9_-]*$/

/**
 * The bytes of canonical base64url (RFC 4648 §5, §3.5: no padding, no other characters, unused bits zero), or undefined.
 * Without this rule one token has many spellings, and a list of refused ones can be slipped past.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  // Node drops what does not fit; only the canonical spelling prints back identically.
  return bytes.toString('base64url') === text ? bytes : undefined
}
