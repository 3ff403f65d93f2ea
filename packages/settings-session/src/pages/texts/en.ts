/** Every sentence of the pages, by its key, in English. `{name}` is replaced by what the page knows. */
export const en = {
  confirmTitle: 'Open your settings',
  confirmOtherTitle: 'Continue from the chat',
  confirmIntro: 'You followed a link from {platform}. Is this you?',
  labelAccount: 'Account',
  accountOnPlatform: '{account} on {platform}',
  labelChat: 'From',
  labelApp: 'Connects',
  labelPurpose: 'What for',
  labelAgent: 'Agent',
  labelTimeLeft: 'Time left',
  codeLabel: 'The digits that the chat shows',
  codeWrong: 'These are not the digits that the chat shows.',
  codeIncomplete: 'Enter the six digits that the chat shows.',
  open: 'Open',
  continueAndSignIn: 'Continue and sign in with {provider}',
  replaces: 'This browser is signed in for {account} on {platform}. That session is replaced.',
  warnConnect:
    'The account that you sign in with will be connected to the user above. Continue only if that user is you, and you asked for this link yourself. Did somebody else send it to you? Then do not continue.',
  warnReturn:
    'Afterwards, each sign-in here with that account opens the settings of this user. If this user is not you, what you enter there is in their settings.',
  notMe: 'Not me',
  confirmHint: 'If you did not ask for this link, close this page. Nothing was opened.',
  notMeTitle: 'Thank you, the link is void',
  notMeText: 'Nothing was opened, and nobody can open this link any more. You can close this page.',
  releaseTitle: 'This account belongs to another user here',
  releaseText:
    'Nothing was opened. The account that you signed in with is connected to another user of the same chat platform. If you did not do that, somebody may have sent you a link of their own, and you signed in with it.',
  releaseUser:
    'You can have your account released by that user and connected to {account} on {platform}. The sessions of that user end.',
  releaseButton: 'It was not me: release it and continue',
  releaseHint: 'Do not continue if the other user is you too, or if somebody else sent you this link: close this page.',

  waitTitle: 'One moment',
  waitSignIn: 'Next: sign in with {provider}.',
  waitSignedIn: 'You are signed in.',
  waitReady: 'Everything is ready.',
  waitChat: 'Confirm in the chat that this is you. This page continues by itself.',
  continue: 'Continue',
  checkAgain: 'Check again',
  tryAgain: 'Try again',
  continueToSettings: 'Continue to your settings',
  continueWithLink: 'Continue with your link',
  signInWith: 'Sign in with {provider}',

  loggedOutTitle: 'You are signed out',
  loggedOutText: 'Ask for a new link in the chat to open your settings again.',

  telegramAsking: 'Asking Telegram who you are.',
  telegramFailed: 'Telegram did not confirm that you may open this. Open this page again from the chat.',
  telegramNoScript: 'Telegram opens this page only with JavaScript. Ask for a link in the chat instead.',

  linkRefusedTitle: 'This link does not work',
  linkRefusedText: 'It may have been used already, or it is too old. Ask for a new link in the chat.',
  signedOutTitle: 'You are not signed in',
  signedOutText: 'Ask for a new link in the chat to open your settings.',
  comeBackTitle: 'You are not signed in',
  comeBackText: 'Sign in to open your settings again, or ask for a new link in the chat.',
  notBoundTitle: 'No settings belong to this account',
  notBoundText: 'Ask for a link in the chat and open it once. After that you can come back by signing in.',
  severalUsersTitle: 'This account has settings in more than one chat',
  severalUsersText: 'Ask for a link in the chat whose settings you want to open.',
  unsentTitle: 'You are no longer signed in',
  unsentText:
    'Nothing was changed. What you typed is still there: ask for a new link in the chat, open it in this browser, go back to the form here, and send it again.',
  noLinkTitle: 'This browser does not have your link',
  noLinkText:
    'It was opened in another browser or app, or this browser does not keep cookies. Allow cookies for this site, copy the link from the chat, and open it in this browser.',
  noLinkOnHttpTitle: 'This browser does not have your link',
  noLinkOnHttpText:
    'It was opened in another browser or app, or this browser does not keep cookies. Allow cookies for this site, copy the link from the chat, and open it in this browser. Safari does not keep secure cookies for http://localhost: use another browser there, or https.',
  otherBrowserTitle: 'This sign-in began in another browser',
  otherBrowserText:
    'Nothing was opened. Continue in the browser or app where you began. Or copy the link from the chat, and open it in this browser with cookies allowed.',
  signInEndedTitle: 'This sign-in has ended',
  signInEndedText:
    'It took too long, or the link was opened in another browser. Open the link from the chat again, or ask for a new one.',
  unsupportedBodyTitle: 'The page sent something that we cannot read',
  unsupportedBodyText: 'Nothing was done. Tell the people who run this app.',
  wrongPlaceTitle: 'This is not the right place for a link',
  wrongPlaceText: 'Open the link as it came in the chat.',
  wrongKindTitle: 'This link is for another page',
  wrongKindText: 'Open the link as it came in the chat.',
  wrongCodeTitle: 'These are not the right digits',
  wrongCodeText: 'Open the link again and enter what the chat shows.',
  awaitingIdentityTitle: 'Sign in to continue',
  awaitingIdentityText: 'The link is confirmed. The last step is to sign in.',
  staleTitle: 'Sign in again',
  staleText: 'This is only possible shortly after a sign-in.',
  crossSiteTitle: 'This was not sent from our page',
  crossSiteText: 'For your safety nothing was done. Go back and try again from the page itself.',
  identityMismatchTitle: 'This link is not for this account',
  identityMismatchText:
    'Nothing was opened. Ask for a new link in the chat and sign in with the account that you used before.',
  signInFailedTitle: 'The sign-in did not work',
  signInFailedText: 'Nothing was opened. You can try again.',
  telegramInvalidTitle: 'Telegram did not confirm that you may open this',
  telegramInvalidText: 'Open the page again from the chat.',
  replayedTitle: 'Open this again from the chat',
  replayedText: 'It was used before, in another browser.',
  tooManyAttemptsTitle: 'Too many attempts',
  tooManyAttemptsText: 'Nothing was opened. Wait a few minutes and try again.',
  laterTitle: 'Try again in a moment',
  laterText: 'A service that we need for this is not responding right now.',
  storeDownTitle: 'Try again in a moment',
  storeDownText: 'We cannot check your sign-in right now. You stay signed in.',
  providerDownTitle: 'Try again in a moment',
  providerDownText: 'The sign-in service is not responding right now.',
} as const

/** The key of a sentence. */
export type TextKey = keyof typeof en

/** Every sentence of the pages in one language, by its key. */
export type PageTexts = Readonly<Record<TextKey, string>>
