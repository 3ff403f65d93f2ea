import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'

/** What the error page says. It tells the person what to do, and a stranger nothing. */
export interface ErrorWords {
  readonly title: string
  readonly text: string
}

/** The words for every refusal of a link. */
export const LINK_WORDS: ErrorWords = {
  title: 'This link does not work',
  text: 'It may have been used already, or it is too old. Ask for a new link in the chat.',
}

/** For a browser that opened no link, or did not keep it. */
export const NO_LINK_WORDS: ErrorWords = {
  title: 'This browser does not have your link',
  text: 'It was opened in another browser or app, or this browser keeps no cookies. Allow cookies for this site, copy the link from the chat, and open it in this browser.',
}

/** The same where the pages are on http://localhost: for who develops the app. */
export const NO_LINK_ON_HTTP_WORDS: ErrorWords = {
  ...NO_LINK_WORDS,
  text: `${NO_LINK_WORDS.text} Safari keeps no secure cookies of http://localhost: use another browser there, or https.`,
}

/** For a browser that comes from the provider, and did not begin the sign-in. */
export const OTHER_BROWSER_WORDS: ErrorWords = {
  title: 'This sign-in began in another browser',
  text: 'Nothing was opened. Continue in the browser or app where you began. Or copy the link from the chat, and open it in this browser with cookies allowed.',
}

/** For a browser whose session ended before its person had signed in. */
export const SIGN_IN_ENDED_WORDS: ErrorWords = {
  title: 'This sign-in has ended',
  text: 'It took too long, or the link was opened in another browser. Open the link from the chat again, or ask for a new one.',
}

/** For a browser without a session. */
export const SIGNED_OUT_WORDS: ErrorWords = {
  title: 'You are not signed in',
  text: 'Ask for a new link in the chat to open your settings.',
}

/** For who is not signed in and can be by signing in. */
export const COME_BACK_WORDS: ErrorWords = {
  title: SIGNED_OUT_WORDS.title,
  text: 'Sign in to open your settings again, or ask for a new link in the chat.',
}

/** For who signed in alone, and is nobody's user. */
export const NOT_BOUND_WORDS: ErrorWords = {
  title: 'No settings belong to this account',
  text: 'Ask for a link in the chat and open it once. After that you can come back by signing in.',
}

/** For who signed in alone, and is more than one user. */
export const SEVERAL_WORDS: ErrorWords = {
  title: 'This account has settings in more than one chat',
  text: 'Ask for a link in the chat whose settings you want to open.',
}

/** For a person who sent a form after the session had ended. */
export const UNSENT_WORDS: ErrorWords = {
  title: 'You are not signed in any more',
  text: 'Nothing was changed. What you typed is still there: ask for a new link in the chat, open it in this browser, go back to the form here, and send it again.',
}

/** The words for each reason. */
export const DENIED_WORDS: Readonly<Record<SettingsSessionReason, ErrorWords>> = {
  missing: SIGNED_OUT_WORDS,
  malformed: SIGNED_OUT_WORDS,
  link_in_wrong_place: {
    title: 'This is not the right place for a link',
    text: 'Open the link as it came in the chat.',
  },
  unknown: SIGNED_OUT_WORDS,
  idle: SIGNED_OUT_WORDS,
  expired: SIGNED_OUT_WORDS,
  revoked: SIGNED_OUT_WORDS,
  spent: LINK_WORDS,
  wrong_kind: { title: 'This link is for another page', text: 'Open the link as it came in the chat.' },
  wrong_code: { title: 'These are not the right digits', text: 'Open the link again and enter what the chat shows.' },
  awaiting_identity: { title: 'Sign in to continue', text: 'The link is confirmed. The last step is to sign in.' },
  stale: { title: 'Sign in again', text: 'This is only possible shortly after a sign-in.' },
  cross_site: {
    title: 'This was not sent from our page',
    text: 'For your safety nothing was done. Go back and try again from the page itself.',
  },
  unsupported_body: {
    title: 'The page sent something that we do not read',
    text: 'Nothing was done. Tell the people who run this app.',
  },
  identity_mismatch: {
    title: 'This link is not for this account',
    text: 'Nothing was opened. Ask for a new link in the chat and sign in with the account that you used before.',
  },
  sign_in_failed: { title: 'The sign-in did not work', text: 'Nothing was opened. You can try again.' },
  telegram_invalid: { title: 'Telegram did not confirm who you are', text: 'Open the page again from the chat.' },
  replayed: { title: 'Open this again from the chat', text: 'It was used before, in another browser.' },
  too_many_attempts: { title: 'Too many attempts', text: 'Nothing was opened. Wait a few minutes and try again.' },
}

const LATER: ErrorWords = {
  title: 'Try again in a moment',
  text: 'Something that we need for this does not answer right now.',
}

/** The words for each dependency that could not be asked. */
export const UNAVAILABLE_WORDS: Readonly<Record<SettingsSessionDependency | 'audit_sink', ErrorWords>> = {
  session_store: { ...LATER, text: 'We cannot check your sign-in right now. You stay signed in.' },
  oauth_provider: { ...LATER, text: 'The sign-in service does not answer right now.' },
  on_open: LATER,
  on_first_claim: LATER,
  allow_chat: LATER,
  audit_sink: LATER,
}
