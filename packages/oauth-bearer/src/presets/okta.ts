import { option } from '@countersign/core/gate-kit'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { hostRule, isText, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link okta}. */
export interface OktaOptions extends PresetOptions {
  /** The org's domain, or its custom domain: `example.okta.com`. */
  readonly domain: string
  /** The id of a custom authorization server. Default `default`. */
  readonly authorizationServer?: string | undefined
}

/**
 * The issuer options of a custom authorization server of Okta. Tokens of the org's own server are for Okta alone: nobody else
 * can verify them. `audience` is that of the authorization server; the one called default has `api://default`.
 *
 * Source: https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
 *
 * @throws {OptionError}
 * @example
 * const issuer = okta({ domain: 'example.okta.com', audience: 'api://default' })
 */
export function okta(options: OktaOptions): IssuerOptions {
  const { domain, authorizationServer, ...whom } = presetOptions('okta', options, {
    domain: hostRule('example.okta.com').required(),
    authorizationServer: option.string(/^[A-Za-z0-9]+$/, "an authorization server's id").default('default'),
  })
  return {
    ...whom,
    issuer: `https://${domain}/oauth2/${authorizationServer}`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    scopeClaims: ['scp'],
    // `sub` is the login, which can change.
    claims: { userId: 'uid' },
    isAccessToken: ({ cid, scp }) => isText(cid) && Array.isArray(scp),
  }
}
