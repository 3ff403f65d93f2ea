import type { IssuerOptions } from '../issuers/issuer-options.js'
import { isJsonObject } from '../strict-encoding.js'
import { baseUrlRule, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link xsuaa}. */
export interface XsuaaOptions extends PresetOptions {
  /** `url` of the service binding: `https://example.authentication.eu10.hana.ondemand.com`. */
  readonly url: string
}

/**
 * The issuer options of SAP's XSUAA (Authorization and Trust Management). `audience` is `xsappname` of the service binding,
 * or a list of it and `clientid`. The `jku` of its tokens is ignored: keys come from `url`.
 *
 * Source: https://help.sap.com/docs/btp/sap-business-technology-platform/sap-authorization-and-trust-management-service
 *
 * @throws {OptionError}
 * @example
 * const issuer = xsuaa({ url: 'https://example.authentication.eu10.hana.ondemand.com', audience: 'files!t123' })
 */
export function xsuaa(options: XsuaaOptions): IssuerOptions {
  const { url, ...whom } = presetOptions('xsuaa', options, {
    url: baseUrlRule('https://example.authentication.eu10.hana.ondemand.com').required(),
  })
  return {
    ...whom,
    issuer: `${url}/oauth/token`,
    jwksUri: `${url}/token_keys`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    scopeClaims: ['scope'],
    claims: { username: 'user_name', tenantId: 'zid' },
    // ID tokens say how the user was authenticated; the id of a refresh token ends with -r.
    isAccessToken: ({ ext_attr: added, amr, jti }) =>
      isJsonObject(added) && added.enhancer === 'XSUAA' && amr === undefined && !String(jti).endsWith('-r'),
  }
}
