import type { IssuerOptions } from '../issuers/issuer-options.js'
import { baseUrlRule, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link keycloak}. */
export interface KeycloakOptions extends PresetOptions {
  /** The realm's URL, as its tokens have it in `iss`: `https://sso.example.com/realms/example`. */
  readonly issuer: string
}

/**
 * The issuer options of a Keycloak realm. Keycloak's access tokens have no audience of this resource before a client scope
 * has an audience mapper for it.
 *
 * Source: https://www.keycloak.org/docs/latest/server_admin/#audience-support
 *
 * @throws {OptionError}
 * @example
 * const issuer = keycloak({ issuer: 'https://sso.example.com/realms/example', audience: 'https://mcp.example.com/mcp' })
 */
export function keycloak(options: KeycloakOptions): IssuerOptions {
  const { issuer, ...whom } = presetOptions('keycloak', options, {
    issuer: baseUrlRule('https://sso.example.com/realms/example').required(),
  })
  return {
    ...whom,
    issuer,
    profile: 'relaxed',
    claims: { username: 'preferred_username', roles: 'realm_access' },
    // ID, refresh, offline and logout tokens have types of their own. One of type DPoP is refused for its binding.
    isAccessToken: ({ typ }) => typ === 'Bearer' || typ === 'DPoP',
  }
}
