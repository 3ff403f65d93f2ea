import { OptionError } from '@countersign/core'
import {
  isGuid,
  type OptionRules,
  option,
  type Resolved,
  type RuleBuilder,
  resolveOptions,
} from '@countersign/core/gate-kit'
import { audienceRule } from '../issuers/issuer-options.js'

/** What every preset takes: whom tokens are for. One of the two is needed, so that no preset accepts every token. */
export interface PresetOptions {
  /** The accepted audiences: a token must name one of them. Default: the gate's `resource`. */
  readonly audience?: string | readonly string[] | undefined
  /** The clients whose tokens are accepted. Default: all. */
  readonly clientIds?: readonly string[] | undefined
}

const common: Readonly<Record<'audience' | 'clientIds', RuleBuilder<readonly string[]>>> = {
  audience: audienceRule(),
  clientIds: option.strings(),
}

/**
 * Checks a preset's options.
 *
 * @throws {OptionError} for a wrong one, and if neither `audience` nor `clientIds` is set.
 */
export function presetOptions<S extends OptionRules>(
  preset: string,
  options: object,
  rules: S,
): Resolved<S & typeof common> {
  const checked = resolveOptions(preset, options, { ...common, ...rules })
  const { audience, clientIds } = checked as Resolved<typeof common>
  if (audience === undefined && clientIds === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'audience',
      `${preset}: set "audience" to what tokens for this resource name, or "clientIds" to the clients whose tokens are accepted: ` +
        'this issuer also issues tokens for other resources',
    )
  }
  return checked
}

/** The rule of an option that is a host, and lower case from then on: so are the issuers in tokens. */
export function hostRule(example: string): RuleBuilder<string> {
  return option.custom<string>(`a host name alone, such as ${example}`, (value) =>
    typeof value === 'string' && /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(value) ? value.toLowerCase() : undefined,
  )
}

/** The rule of an option that is the id of a Microsoft tenant. */
export function tenantRule(): RuleBuilder<string> {
  return option.custom<string>("the id of a tenant, a GUID: neither its domain nor 'common'", tenantIn)
}

/** The id of a tenant in lower case, or undefined. */
export function tenantIn(value: unknown): string | undefined {
  return isGuid(value) ? value.toLowerCase() : undefined
}

/** The rule of an option that is a URL without a slash at its end, as that issuer's tokens have it; one is removed. */
export function baseUrlRule(example: string): RuleBuilder<string> {
  return option.custom<string>(`a URL such as ${example}`, (value) =>
    typeof value === 'string' && URL.canParse(value) ? value.replace(/\/$/, '') : undefined,
  )
}

/** Whether a claim is a text that is not empty. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** Whether an audience is this client and nobody else, as that of an ID token is (OpenID Connect Core §2). */
export function isClientAlone(audience: unknown, client: unknown): boolean {
  return [audience].flat().every((one) => one === client)
}
