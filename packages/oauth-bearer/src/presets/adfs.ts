import { option } from '@countersign/core/gate-kit'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { hostRule, isText, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link adfs}. */
export interface AdfsOptions extends PresetOptions {
  /** The federation service's name: `adfs.example.com`. */
  readonly host: string
  /** The federation service identifier, if it was changed. Default `http://<host>/adfs/services/trust`. */
  readonly issuer?: string | undefined
}

/**
 * The issuer options of AD FS 2016 and later. Its access tokens name an issuer that begins with `http:`; nobody fetches it:
 * keys come over https. A user's token needs a `sub`, which an issuance transform rule of the Web API must issue: without it
 * all users of one client would be one principal.
 *
 * Source: https://learn.microsoft.com/windows-server/identity/ad-fs/overview/ad-fs-openid-connect-oauth-concepts
 *
 * @throws {OptionError}
 * @example
 * const issuer = adfs({ host: 'adfs.example.com', audience: 'https://mcp.example.com/mcp' })
 */
export function adfs(options: AdfsOptions): IssuerOptions {
  const { host, issuer, ...whom } = presetOptions('adfs', options, {
    host: hostRule('adfs.example.com').required(),
    issuer: option.string(),
  })
  return {
    ...whom,
    issuer: issuer ?? `http://${host}/adfs/services/trust`,
    jwksUri: `https://${host}/adfs/discovery/keys`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    scopeClaims: ['scp'],
    claims: { username: 'upn' },
    isAccessToken: ({ appid, apptype, auth_time: userSince, sub }) =>
      isText(appid) && isText(apptype) && (userSince === undefined || isText(sub)),
  }
}
