/** One challenge of `WWW-Authenticate`. */
export interface Challenge {
  readonly scheme: string
  readonly parameters?: Readonly<Record<string, string>> | undefined
}

// RFC 9110 §5.6.4: HTAB, SP, VCHAR; obs-text is left out, clients disagree about it.
const NOT_QUOTABLE = /[^\t\x20-\x7e]/g

/** A quoted-string of RFC 9110 §5.6.4; what may not stand in one is left out. */
export function quote(value: string): string {
  return `"${value.replace(NOT_QUOTABLE, '').replace(/["\\]/g, '\\$&')}"`
}

/** RFC 9110 §5.6.2 */
export const TOKEN: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function token(value: string): string {
  if (TOKEN.test(value)) return value
  throw new TypeError(`a challenge's scheme and parameter names are tokens (RFC 9110), got ${JSON.stringify(value)}`)
}

/**
 * One challenge as it stands in `WWW-Authenticate` (RFC 9110 §11.6.1): values are quoted and cleaned.
 *
 * @throws {TypeError} when the scheme or a parameter's name is not a token.
 */
export function formatChallenge({ scheme, parameters }: Challenge): string {
  const list = Object.entries(parameters ?? {}).map(([name, value]) => `${token(name)}=${quote(value)}`)
  return list.length === 0 ? token(scheme) : `${token(scheme)} ${list.join(', ')}`
}

/**
 * One field value; `Bearer` goes first, because clients read the first challenge only. For the same reason a scheme
 * that says no more than a realm is left out where the same one says more: it would hide that.
 */
export function formatChallenges(challenges: readonly Challenge[]): string {
  const schemeOf = ({ scheme }: Challenge) => scheme.toLowerCase()
  const isBare = ({ parameters }: Challenge) => Object.keys(parameters ?? {}).every((name) => name === 'realm')
  const told = new Set(challenges.filter((challenge) => !isBare(challenge)).map(schemeOf))
  const telling = challenges.filter((challenge) => !isBare(challenge) || !told.has(schemeOf(challenge)))
  const bearers = telling.filter((challenge) => schemeOf(challenge) === 'bearer')
  return [...new Set([...bearers, ...telling].map(formatChallenge))].join(', ')
}
