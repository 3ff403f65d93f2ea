import { option } from '@countersign/core/gate-kit'
import type { IntrospectionOptions } from '../introspection/introspection-options.js'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { isJsonObject } from '../strict-encoding.js'
import { isText, type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link hydra}. */
export interface HydraOptions extends PresetOptions {
  /** `urls.self.issuer` of Hydra's configuration, byte for byte as its tokens have it in `iss`. */
  readonly issuer: string
  /** How to ask Hydra about tokens. Needed unless `strategies.access_token` is `jwt`: its tokens are opaque by default. */
  readonly introspection?: IntrospectionOptions | undefined
}

/**
 * The issuer options of Ory Hydra or the Ory Network, for JWTs and, with `introspection`, for opaque tokens.
 *
 * Source: https://www.ory.sh/docs/oauth2-oidc/jwt-access-token
 *
 * @throws {OptionError}
 * @example
 * const issuer = hydra({ issuer: 'https://hydra.example.com/', audience: 'https://mcp.example.com/mcp' })
 */
export function hydra(options: HydraOptions): IssuerOptions {
  const { introspection, ...rest } = presetOptions('hydra', options, {
    issuer: option.string().required(),
    introspection: option.custom<IntrospectionOptions>('an object of clientId, clientSecret and so on', (value) =>
      isJsonObject(value) ? (value as unknown as IntrospectionOptions) : undefined,
    ),
  })
  return {
    ...rest,
    introspection,
    profile: 'relaxed',
    // ID tokens name no client but their audience.
    isAccessToken: ({ client_id: clientId, at_hash: hash, nonce }) =>
      isText(clientId) && hash === undefined && nonce === undefined,
  }
}
