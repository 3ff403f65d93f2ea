import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'
import type { TextKey } from './texts/en.js'

/**
 * What the error page says, by the beginning of its two keys, `…Title` and `…Text`. It tells the person what to do, and a
 * stranger nothing.
 */
export type ErrorWords = Extract<
  { [K in TextKey]: K extends `${infer Name}Title` ? (`${Name}Text` extends TextKey ? Name : never) : never }[TextKey],
  string
>

/** The words for every refusal of a link. */
export const LINK_WORDS: ErrorWords = 'linkRefused'

/** For a browser that opened no link, or did not keep it. */
export const NO_LINK_WORDS: ErrorWords = 'noLink'

/** The same where the pages are on http://localhost: for who develops the app. */
export const NO_LINK_ON_HTTP_WORDS: ErrorWords = 'noLinkOnHttp'

/** For a browser that comes from the provider, and did not begin the sign-in. */
export const OTHER_BROWSER_WORDS: ErrorWords = 'otherBrowser'

/** For a browser whose session ended before its person had signed in. */
export const SIGN_IN_ENDED_WORDS: ErrorWords = 'signInEnded'

/** For a browser without a session. */
export const SIGNED_OUT_WORDS: ErrorWords = 'signedOut'

/** For who is not signed in and can be by signing in. */
export const COME_BACK_WORDS: ErrorWords = 'comeBack'

/** For who signed in alone, and is nobody's user. */
export const NOT_BOUND_WORDS: ErrorWords = 'notBound'

/** For who signed in alone, and is more than one user. */
export const SEVERAL_WORDS: ErrorWords = 'severalUsers'

/** For a person who sent a form after the session had ended. */
export const UNSENT_WORDS: ErrorWords = 'unsent'

/** The words for each reason. */
export const DENIED_WORDS: Readonly<Record<SettingsSessionReason, ErrorWords>> = {
  missing: SIGNED_OUT_WORDS,
  malformed: SIGNED_OUT_WORDS,
  link_in_wrong_place: 'wrongPlace',
  unknown: SIGNED_OUT_WORDS,
  idle: SIGNED_OUT_WORDS,
  expired: SIGNED_OUT_WORDS,
  revoked: SIGNED_OUT_WORDS,
  spent: LINK_WORDS,
  wrong_kind: 'wrongKind',
  wrong_code: 'wrongCode',
  awaiting_identity: 'awaitingIdentity',
  stale: 'stale',
  cross_site: 'crossSite',
  unsupported_body: 'unsupportedBody',
  identity_mismatch: 'identityMismatch',
  sign_in_failed: 'signInFailed',
  telegram_invalid: 'telegramInvalid',
  replayed: 'replayed',
  too_many_attempts: 'tooManyAttempts',
}

/** The words for each dependency that could not be asked. */
export const UNAVAILABLE_WORDS: Readonly<Record<SettingsSessionDependency | 'audit_sink', ErrorWords>> = {
  session_store: 'storeDown',
  oauth_provider: 'providerDown',
  on_open: 'later',
  on_first_claim: 'later',
  allow_chat: 'later',
  audit_sink: 'later',
}
