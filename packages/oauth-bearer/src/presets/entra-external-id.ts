import { option } from '@countersign/core/gate-kit'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { isGranted } from './entra.js'
import { hostRule, isText, type PresetOptions, presetOptions, tenantRule } from './preset.js'

/** Options of {@link entraExternalId}. */
export interface EntraExternalIdOptions extends PresetOptions {
  /** The host of sign-in: `example.ciamlogin.com`, or `example.b2clogin.com` for Azure AD B2C. */
  readonly host: string
  /** The id of the tenant. */
  readonly tenant: string
  /** Azure AD B2C's user flow or custom policy, or several of one key container. */
  readonly policy?: string | readonly string[] | undefined
}

/**
 * The issuer options of Microsoft Entra External ID and, with `policy`, of Azure AD B2C, whose access tokens can have the
 * `nonce` of the sign-in. A token needs a scope or a role, unless `clientIds` are set.
 *
 * Source: https://learn.microsoft.com/entra/external-id/customers/, https://learn.microsoft.com/azure/active-directory-b2c/tokens-overview
 *
 * @throws {OptionError}
 * @example
 * const issuer = entraExternalId({
 *   host: 'example.ciamlogin.com',
 *   tenant: '11111111-2222-3333-4444-555555555555',
 *   audience: '66666666-7777-8888-9999-000000000000',
 * })
 */
export function entraExternalId(options: EntraExternalIdOptions): IssuerOptions {
  const { host, tenant, policy, ...whom } = presetOptions('entraExternalId', options, {
    host: hostRule('example.ciamlogin.com').required(),
    tenant: tenantRule().required(),
    policy: option.custom<readonly [string, ...string[]]>(
      'a policy such as B2C_1_signin, or a list of them',
      policiesIn,
    ),
  })
  const common: Omit<IssuerOptions, 'issuer'> = {
    ...whom,
    profile: 'relaxed',
    algorithms: ['RS256'],
    scopeClaims: ['scp'],
    claims: { objectId: 'oid', tenantId: 'tid' },
    maxTokenBytes: 16_384,
  }
  const isForUse = (azp: unknown, scp: unknown, roles: unknown) =>
    isText(azp) && (isGranted(scp, roles) || whom.clientIds !== undefined)
  if (policy === undefined) {
    return {
      ...common,
      issuer: `https://${tenant}.ciamlogin.com/${tenant}/v2.0`,
      jwksUri: `https://${host}/${tenant}/discovery/v2.0/keys`,
      isAccessToken: ({ tid, azp, scp, roles }) => tid === tenant && isForUse(azp, scp, roles),
    }
  }
  const policies = policy.map((one) => one.toLowerCase())
  return {
    ...common,
    issuer: `https://${host}/${tenant}/v2.0/`,
    jwksUri: `https://${host}/${tenant}/${policy[0]}/discovery/v2.0/keys`,
    claims: { ...common.claims, policy: 'tfp' },
    // ID tokens name no client but their audience. The policy is in `tfp`, formerly in `acr`.
    isAccessToken: ({ azp, scp, roles, acr, tfp = acr }) =>
      isText(tfp) && policies.includes(tfp.toLowerCase()) && isForUse(azp, scp, roles),
  }
}

function policiesIn(value: unknown): readonly [string, ...string[]] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const isValid = list.length > 0 && list.every((one) => typeof one === 'string' && /^\w+$/.test(one))
  return isValid ? (Object.freeze([...list]) as unknown as readonly [string, ...string[]]) : undefined
}
