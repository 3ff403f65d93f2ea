import type { IssuerOptions } from '../issuers/issuer-options.js'
import { hostRule, isClientAlone, isText, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link auth0}. */
export interface Auth0Options extends PresetOptions {
  /** The tenant's domain, or its custom domain: `example.eu.auth0.com`. */
  readonly domain: string
}

/**
 * The issuer options of an Auth0 tenant, for both of its token profiles. Scopes are in `scope` and, with role-based access
 * control, in `permissions`. `audience` is the API's identifier in Auth0.
 *
 * Source: https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
 *
 * @throws {OptionError}
 * @example
 * const issuer = auth0({ domain: 'example.eu.auth0.com', audience: 'https://mcp.example.com/mcp' })
 */
export function auth0(options: Auth0Options): IssuerOptions {
  const { domain, ...whom } = presetOptions('auth0', options, { domain: hostRule('example.eu.auth0.com').required() })
  return {
    ...whom,
    issuer: `https://${domain}/`,
    profile: 'relaxed',
    scopeClaims: ['scope', 'permissions'],
    // Access tokens name their client; an ID token is for its client, and has the nonce or a hash if it is for others, too.
    isAccessToken: ({ azp, client_id: clientId = azp, aud, nonce, at_hash: hash }) =>
      isText(clientId) && !isClientAlone(aud, clientId) && nonce === undefined && hash === undefined,
  }
}
