/** One challenge of `WWW-Authenticate` (RFC 9110 §11.6.1); names in lower case. */
export interface ParsedChallenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const PARAMETER = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z]+))/y
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y
const SEPARATOR = /[ \t,]*/y

/** Reads all challenges of a field; undefined when it does not match the grammar. Linear in its length. */
export function parseChallenges(field: string): readonly ParsedChallenge[] | undefined {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let position = 0
  const match = (pattern: RegExp) => {
    pattern.lastIndex = position
    const found = pattern.exec(field)
    if (found !== null) position = pattern.lastIndex
    return found
  }
  match(SEPARATOR)
  while (position < field.length) {
    const parameter = match(PARAMETER)
    const last = challenges.at(-1)
    if (parameter !== null) {
      const [, name = '', quoted, plain = ''] = parameter
      if (last === undefined || last.parameters.has(name.toLowerCase())) return undefined
      last.parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1'))
    } else {
      const scheme = match(TOKEN)
      if (scheme === null) return undefined
      challenges.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() })
      if (field[position] === ' ') {
        match(/ +/y)
        const start = position
        // A token68, as of Negotiate, looks like a parameter up to its "=".
        if (match(PARAMETER) !== null) position = start
        else match(TOKEN68)
      }
    }
    match(SEPARATOR)
  }
  return challenges
}

const OAUTH = ['bearer', 'dpop']

/** Whether a challenge is one of OAuth's schemes. */
export function isOAuth({ scheme }: ParsedChallenge): boolean {
  return OAUTH.includes(scheme)
}

/** A parameter of the first challenge of OAuth's that has it. */
export function challengeParameter(challenges: readonly ParsedChallenge[], name: string): string | undefined {
  return challenges.find((one) => isOAuth(one) && one.parameters.has(name))?.parameters.get(name)
}
