import { withPage } from '../homepage.js'
import { isAsyncFunction, type OptionRule, type OptionRules, type Resolved } from './rules.js'

/** Codes of the errors that a wrong call by the programmer gets, at creation. */
export type OptionErrorCode =
  | 'ERR_COUNTERSIGN_OPTION_UNKNOWN'
  | 'ERR_COUNTERSIGN_OPTION_MISSING'
  | 'ERR_COUNTERSIGN_OPTION_INVALID'

/** The `TypeError` of a wrong option: names the option, the value and the remedy. */
export class OptionError extends TypeError {
  override readonly name = 'OptionError'
  readonly code: OptionErrorCode
  /** The option's name; nested ones with dots. */
  readonly option: string

  constructor(code: OptionErrorCode, option: string, message: string) {
    super(withPage(message, code))
    this.code = code
    this.option = option
  }
}

/** What other libraries call an option, in lower case → what it is called here, as the user would write it. */
export type OptionAliases = Readonly<Record<string, string>>

/**
 * Validates an options object once, at creation: an unknown name throws with a did-you-mean, a bad value throws with
 * the option's name, the value and what is expected. Only own properties count, so a polluted prototype changes nothing.
 * Returns a frozen object with the defaults filled in. `path` goes before each name in errors, such as `oauth.`;
 * `aliases` are names that users know from elsewhere.
 *
 * @throws {OptionError}
 */
export function resolveOptions<S extends OptionRules>(
  owner: string,
  options: unknown,
  rules: S,
  path = '',
  aliases: OptionAliases = {},
): Resolved<S> {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    // A text in place of an object may be the secret that was to be in it.
    const shown = typeof options === 'string' ? 'a string' : show(options)
    const name = path.replace(/\.$/, '')
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `${owner}: ${name || 'options'} must be an object, got ${shown}`,
    )
  }
  const given = options as Record<string, unknown>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) throw unknownOption(owner, path, name, Object.keys(rules), aliases)
  }
  const resolved: Record<string, unknown> = {}
  for (const [name, entry] of Object.entries(rules))
    resolved[name] = resolveOption(owner, path + name, Object.hasOwn(given, name) ? given[name] : undefined, entry)
  return Object.freeze(resolved) as Resolved<S>
}

function resolveOption(owner: string, name: string, value: unknown, entry: OptionRule<unknown>): unknown {
  if (value === undefined) {
    if (!entry.isRequired) return entry.fallback
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      name,
      `${owner}: option "${name}" is required: set it to ${entry.expected}`,
    )
  }
  const accepted = entry.accept(value)
  if (accepted !== undefined) return accepted
  const shown = entry.isSecret ? 'another value' : show(value)
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    name,
    `${owner}: option "${name}" must be ${entry.expected}, got ${shown}`,
  )
}

function unknownOption(
  owner: string,
  path: string,
  name: string,
  known: readonly string[],
  aliases: OptionAliases,
): OptionError {
  const near = nearest(name, known)
  const alias = name.toLowerCase()
  const meant = Object.hasOwn(aliases, alias) ? aliases[alias] : near
  const remedy = meant === undefined ? `The options are: ${known.join(', ')}.` : `Did you mean "${meant}"?`
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_UNKNOWN',
    `${path}${name}`,
    `${owner}: unknown option "${path}${name}". ${remedy}`,
  )
}

/** Shorter than this, what two names have in common says nothing. */
const MIN_COMMON = 4
/** A unit of time at the end of a name, behind four letters at least. */
const UNIT = /(?<=....)(ms|millis|milliseconds|s|sec|secs|seconds|minutes)$/
/** How a word and a known one may have a part in common: the one that says most first. */
const RELATIONS: readonly ((word: string, known: string) => boolean)[] = [
  (word, known) => word.length >= MIN_COMMON && known.startsWith(word),
  (word, known) => word.replace(UNIT, '') === known.replace(UNIT, ''),
  (word, known) => known.length >= MIN_COMMON && word.startsWith(known),
  (word, known) => known.length >= MIN_COMMON && word.endsWith(known),
]

/**
 * The known word that was probably meant: one that differs by a slip; else one that begins or ends the word, or begins with
 * it (`clockTolerance`, `issuerBaseURL`, `requiredScopes`), or has another unit (`idleTimeoutMs`); else the closest one that
 * is close enough.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  // Two letters off is a slip in "audti", and another word altogether in "foo".
  const limit = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length * 0.4))
  const lower = word.toLowerCase()
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  if (best === undefined) return undefined
  if (best.distance <= Math.min(limit, 2)) return best.candidate
  for (const isRelated of RELATIONS) {
    const related = ranked.find(({ candidate }) => isRelated(lower, candidate.toLowerCase()))
    if (related !== undefined) return related.candidate
  }
  return best.distance <= limit ? best.candidate : undefined
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1)
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** A value as an error may show it: short, and only its kind when it is not a plain one. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (value === null || ['number', 'boolean', 'undefined', 'bigint'].includes(typeof value)) return String(value)
  if (isAsyncFunction(value)) return 'an async function'
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an object' : `a ${typeof value}`}`
}
