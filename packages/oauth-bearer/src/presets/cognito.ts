import { option } from '@countersign/core/gate-kit'
import { isAudience } from '../claims.js'
import type { IssuerOptions } from '../issuers/issuer-options.js'
import { type PresetOptions, presetOptions } from './preset.js'

/** Options of {@link cognito}. */
export interface CognitoOptions extends PresetOptions {
  /** The user pool's id, which begins with its region: `eu-central-1_Example`. */
  readonly userPoolId: string
  /** What tokens that have an audience must name. Default: none, so that such tokens are refused. */
  readonly audience?: string | readonly string[] | undefined
}

/**
 * The issuer options of an Amazon Cognito user pool. Its access tokens have an audience only if the client asked for a
 * resource. A token without one is accepted only from `clientIds`; one with an audience must be for `audience`.
 *
 * Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
 *
 * @throws {OptionError}
 * @example
 * const issuer = cognito({ userPoolId: 'eu-central-1_Example', clientIds: ['4example0client0id'] })
 */
export function cognito(options: CognitoOptions): IssuerOptions {
  const { userPoolId, audience, clientIds } = presetOptions('cognito', options, {
    userPoolId: option
      .string(/^[a-z]{2}(?:-[a-z]+)+-\d+_[A-Za-z0-9]+$/, "a user pool's id, such as eu-central-1_Example")
      .required(),
  })
  const region = userPoolId.slice(0, userPoolId.indexOf('_'))
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return {
    issuer: `https://cognito-idp.${region}.${domain}/${userPoolId}`,
    profile: 'relaxed',
    algorithms: ['RS256'],
    clientIds,
    checkAudience: ({ aud }) => (aud === undefined ? clientIds !== undefined : isAudience(aud, audience ?? [])),
    claims: { username: 'username', groups: 'cognito:groups' },
    isAccessToken: ({ token_use: use }) => use === 'access',
  }
}
