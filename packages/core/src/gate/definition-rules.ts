import { resolveOptions } from '../options/resolve.js'
import { option, type Resolved } from '../options/rules.js'
import { TOKEN } from './challenge.js'
import type { GateDefinition } from './gate.js'
import { type GateOptionRules, type GateOptions, gateOptionRules } from './gate-options.js'
import type { PrincipalBase } from './principal.js'
import type { ReasonEntry, ReasonTable } from './reasons.js'

const RULES = {
  name: option.string(TOKEN, 'a token (RFC 9110 §5.6.2)').required(),
  middleware: option.string().required(),
  reads: option.strings(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/, 'a list of header field names in lower case').required(),
  recognises: option.oneOf('own', 'any').default('any'),
  owns: option.syncFunc(),
  read: option.syncFunc().required(),
  verify: option.func().required(),
  demand: option.func(),
  anonymous: option.func(),
  decided: option.syncFunc(),
  verifier: option.port('an object'),
  dependencies: option
    .custom<readonly string[]>('a list of names in snake_case, at least one', (value) =>
      Array.isArray(value) && value.length > 0 && value.every(isSnakeCase) ? Object.freeze([...value]) : undefined,
    )
    .required(),
  reasons: option
    .custom<ReasonTable<string>>('a table from reason to its status and OWASP label, with `missing` in it', (value) =>
      isReasonTable(value) ? value : undefined,
    )
    .required(),
  challenge: option.syncFunc().required(),
  shape: option.syncFunc(),
  withoutRequest: option.port('an object'),
  needsBody: option.string(),
  options: option.port<GateOptions>('an object'),
}

function isSnakeCase(name: unknown): boolean {
  return typeof name === 'string' && /^[a-z][a-z0-9_]*$/.test(name)
}

const STATUSES: readonly unknown[] = [400, 401, 403, 404, 413, 415, 429]

function isReasonTable(value: unknown): value is ReasonTable<string> {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'missing')) return false
  return Object.values(value).every((entry: Partial<ReasonEntry> | null) => {
    return STATUSES.includes(entry?.status) && typeof entry?.owasp === 'string'
  })
}

/** A definition of which only own properties count, frozen. */
type CheckedDefinition<C, P extends PrincipalBase, R extends string, D extends string> = Omit<
  GateDefinition<C, P, R, D>,
  'recognises'
> & { readonly recognises: 'own' | 'any' }

/**
 * Validates the definition of a gate, as options are.
 *
 * @throws {OptionError}
 */
export function checkDefinition<C, P extends PrincipalBase, R extends string, D extends string>(
  definition: GateDefinition<C, P, R, D>,
): CheckedDefinition<C, P, R, D> {
  return resolveOptions('defineGate', definition, RULES) as unknown as CheckedDefinition<C, P, R, D>
}

/**
 * Validates those of a gate's options that every gate has. The gate's own are its own to validate.
 *
 * @throws {OptionError}
 */
export function checkGateOptions(options: object = {}): Resolved<GateOptionRules> {
  const shared = Object.entries(options).filter(([name]) => Object.hasOwn(gateOptionRules, name))
  return resolveOptions('defineGate', Object.fromEntries(shared), gateOptionRules, 'options.')
}
