/** Claims that tell of a person (OpenID Connect Core §5.1), or that could be used again. */
const PERSONAL = new Set([
  'name',
  'given_name',
  'family_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'email',
  'gender',
  'birthdate',
  'zoneinfo',
  'locale',
  'phone_number',
  'address',
  'username',
  'upn',
  'ipaddr',
  'ip',
  'nonce',
  'at_hash',
  'c_hash',
  'sid',
])

/** The claims as they may be pasted into a ticket. */
export function redactClaims(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, PERSONAL.has(name) ? '<redacted>' : value]),
  )
}
