import type { IssuerOptions } from '../issuers/issuer-options.js'
import { hostRule, isClientAlone, isText, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link workos}. */
export interface WorkosOptions extends PresetOptions {
  /** AuthKit's domain: `example.authkit.app`. */
  readonly domain: string
}

/**
 * The issuer options of WorkOS AuthKit as the authorization server of an MCP server or an API (Connect). `audience` is the
 * resource indicator in WorkOS; tokens of machines have the environment's client id instead.
 *
 * Source: https://workos.com/docs/authkit/connect/token-claims
 *
 * @throws {OptionError}
 * @example
 * const issuer = workos({ domain: 'example.authkit.app', audience: 'https://mcp.example.com/mcp' })
 */
export function workos(options: WorkosOptions): IssuerOptions {
  const { domain, ...whom } = presetOptions('workos', options, { domain: hostRule('example.authkit.app').required() })
  return {
    ...whom,
    issuer: `https://${domain}`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    claims: { organizationId: 'org_id', sessionId: 'sid' },
    isAccessToken: ({ client_id: clientId, jti, aud, nonce, at_hash: hash }) =>
      isText(clientId) && isText(jti) && !isClientAlone(aud, clientId) && nonce === undefined && hash === undefined,
  }
}
