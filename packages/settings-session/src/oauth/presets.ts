import type { OAuthPreset, SettingsOAuth } from './settings-oauth.js'

/** What is known of a provider. */
export interface KnownProvider {
  readonly options: Omit<SettingsOAuth, 'preset' | 'clientId' | 'clientSecret'>
  /** What asks the person to sign in again, or at least to choose the account: none of them tells when the sign-in was. */
  readonly again: Readonly<Record<string, string>>
}

/**
 * The known providers. Those without OpenID Connect, and LinkedIn, whose ID token has no nonce, are asked at their endpoints.
 *
 * Sources, in this order: https://developer.apple.com/documentation/signinwithapplerestapi,
 * https://discord.com/developers/docs/topics/oauth2,
 * https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps,
 * https://developers.google.com/identity/openid-connect/openid-connect,
 * https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2,
 * https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc, https://docs.slack.dev/authentication/sign-in-with-slack,
 * https://dev.twitch.tv/docs/authentication/getting-tokens-oidc,
 * https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
 */
export const PRESETS: Readonly<Record<OAuthPreset, KnownProvider>> = {
  apple: {
    options: { issuer: 'https://appleid.apple.com', responseMode: 'form_post', providerName: 'Apple' },
    again: {},
  },
  discord: {
    options: {
      authUrl: 'https://discord.com/oauth2/authorize',
      tokenUrl: 'https://discord.com/api/oauth2/token',
      userinfoUrl: 'https://discord.com/api/users/@me',
      issuerId: 'https://discord.com',
      subjectClaim: 'id',
      scopes: ['identify'],
      providerName: 'Discord',
    },
    again: { prompt: 'consent' },
  },
  github: {
    options: {
      authUrl: 'https://github.com/login/oauth/authorize',
      tokenUrl: 'https://github.com/login/oauth/access_token',
      userinfoUrl: 'https://api.github.com/user',
      issuerId: 'https://github.com/login/oauth',
      subjectClaim: 'id',
      providerName: 'GitHub',
    },
    again: { prompt: 'select_account' },
  },
  google: {
    options: { issuer: 'https://accounts.google.com', providerName: 'Google' },
    again: { prompt: 'select_account' },
  },
  linkedin: {
    options: {
      authUrl: 'https://www.linkedin.com/oauth/v2/authorization',
      tokenUrl: 'https://www.linkedin.com/oauth/v2/accessToken',
      userinfoUrl: 'https://api.linkedin.com/v2/userinfo',
      issuerId: 'https://www.linkedin.com/oauth',
      scopes: ['openid', 'profile'],
      providerName: 'LinkedIn',
    },
    again: {},
  },
  microsoft: {
    options: { issuer: 'https://login.microsoftonline.com/common/v2.0', providerName: 'Microsoft' },
    again: { prompt: 'login' },
  },
  slack: { options: { issuer: 'https://slack.com', providerName: 'Slack' }, again: {} },
  twitch: {
    options: { issuer: 'https://id.twitch.tv/oauth2', providerName: 'Twitch' },
    again: { force_verify: 'true' },
  },
  x: {
    options: {
      authUrl: 'https://x.com/i/oauth2/authorize',
      tokenUrl: 'https://api.x.com/2/oauth2/token',
      userinfoUrl: 'https://api.x.com/2/users/me',
      issuerId: 'https://x.com',
      subjectClaim: 'data.id',
      scopes: ['users.read', 'tweet.read'],
      tokenAuthMethod: 'client_secret_basic',
      providerName: 'X',
    },
    again: {},
  },
}

/** The names, as the option takes them. */
export const PRESET_NAMES: readonly OAuthPreset[] = Object.keys(PRESETS) as OAuthPreset[]
