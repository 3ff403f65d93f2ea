import { option } from '@countersign/core/gate-kit'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { hostRule, isText, type PresetOptions, presetOptions, tenantIn } from './preset.js'

/** Says whether a tenant's tokens are accepted, by the tenant's id in lower case. */
export type IsTenant = (tenant: string) => boolean | PromiseLike<boolean>

/** Options of {@link entra}. */
export interface EntraOptions<Tenant extends string | readonly string[] | IsTenant> extends PresetOptions {
  /** The id of the tenant, a list of them, or a function for tenants that are known at run time. */
  readonly tenant: Tenant
  /** `requestedAccessTokenVersion` in the application's manifest; `null` there is 1. Default 2. */
  readonly version?: 1 | 2 | undefined
  /** The host of a national cloud, such as `login.microsoftonline.us`. Default `login.microsoftonline.com`. */
  readonly authority?: string | undefined
}

/** What the gate's option `issuers` takes: the options of an issuer that a token names, or undefined for a stranger. */
export type FindEntraTenant = (issuer: string) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>

type Tenants = string | readonly string[] | IsTenant

/** Issuers of version 1 that are not those of the default cloud. */
const TOKEN_SERVICES: Readonly<Record<string, string>> = {
  'login.chinacloudapi.cn': 'sts.chinacloudapi.cn',
  'login.partner.microsoftonline.cn': 'sts.chinacloudapi.cn',
}

/** 200 groups, the most that a token has, make 13 KiB. */
const MAX_TOKEN_BYTES = 16_384

const rules = {
  tenant: option
    .custom<Tenants>(
      "the id of a tenant, a GUID, neither its domain nor 'common'; a list of them; or a function",
      (value) => {
        if (typeof value === 'function') return value as IsTenant
        if (!Array.isArray(value)) return tenantIn(value)
        const tenants = value.map(tenantIn)
        return tenants.length > 0 && tenants.every((one) => one !== undefined) ? tenants : undefined
      },
    )
    .required(),
  version: option.custom<1 | 2>('1 or 2', (value) => (value === 1 || value === 2 ? value : undefined)).default(2),
  authority: hostRule('login.microsoftonline.us').default('login.microsoftonline.com'),
}

/**
 * The issuer options of Microsoft Entra ID: one tenant; a list, for the gate's `issuer`; or, with a function, what the gate's
 * `issuers` takes. Each tenant is an issuer of its own with its own keys, and its tokens must name it in `tid` as well. An
 * `audience` that is an application's id stands for its `api://` form, too. A token needs a scope or a role, unless
 * `clientIds` are set: else every client of the tenant could get one. Its `roles` are no scopes unless `scopeClaims` says so.
 *
 * Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
 *
 * @throws {OptionError}
 * @example
 * const issuer = entra({
 *   tenant: '11111111-2222-3333-4444-555555555555',
 *   audience: '66666666-7777-8888-9999-000000000000',
 * })
 */
export function entra(options: EntraOptions<string>): IssuerOptions
export function entra(options: EntraOptions<readonly string[]>): IssuerOptions[]
export function entra(options: EntraOptions<IsTenant>): FindEntraTenant
export function entra(options: EntraOptions<Tenants>): IssuerOptions | IssuerOptions[] | FindEntraTenant {
  const { tenant, version, authority, audience, clientIds } = presetOptions('entra', options, rules)
  const whom = { audience: audience?.flatMap(spellings), clientIds }
  const service = TOKEN_SERVICES[authority] ?? 'sts.windows.net'
  const [prefix, suffix] = version === 1 ? [`https://${service}/`, '/'] : [`https://${authority}/`, '/v2.0']
  const issuerOf = (id: string): IssuerOptions => ({
    ...whom,
    issuer: `${prefix}${id}${suffix}`,
    jwksUri: `https://${authority}/${id}/discovery/${version === 1 ? '' : 'v2.0/'}keys`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    scopeClaims: ['scp'],
    claims: { objectId: 'oid', tenantId: 'tid' },
    maxTokenBytes: MAX_TOKEN_BYTES,
    // ID tokens name no client but their audience.
    isAccessToken: ({ tid, azp, appid, scp, roles }) =>
      tid === id && isText(version === 1 ? appid : azp) && (isGranted(scp, roles) || clientIds !== undefined),
  })
  if (typeof tenant === 'string') return issuerOf(tenant)
  if (typeof tenant !== 'function') return tenant.map(issuerOf)
  // One object for each tenant that is accepted: for the gate, the same options are no change.
  const made = new Map<string, IssuerOptions>()
  return (issuer) => {
    const id = issuer.startsWith(prefix) && issuer.endsWith(suffix) ? issuer.slice(prefix.length, -suffix.length) : ''
    if (tenantIn(id) !== id) return undefined
    const known = tenant(id)
    return typeof known === 'boolean' ? optionsIf(known, id) : Promise.resolve(known).then((is) => optionsIf(is, id))
  }

  function optionsIf(isKnown: boolean, id: string): IssuerOptions | undefined {
    if (isKnown !== true) return undefined
    const options = made.get(id) ?? issuerOf(id)
    made.set(id, options)
    return options
  }
}

/** An application's id, and the identifier that its tokens of version 1 name. */
function spellings(audience: string): string[] {
  return tenantIn(audience) === undefined ? [audience] : [audience, `api://${audience}`]
}

/** Whether a user, or an administrator for an application, has granted anything. */
export function isGranted(scopes: unknown, roles: unknown): boolean {
  return isText(scopes) || (Array.isArray(roles) && roles.length > 0)
}
