import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'
import type { LinkDisplay } from '../store/port.js'
import { type Language, type Message, type OwnTexts, resolveLanguages } from './languages.js'
import { imageSources, type PageTheme, resolveTheme } from './look.js'
import type { ErrorWords } from './texts.js'

/** What every page is made from. */
export interface PageModel extends Language {
  /** For `<style nonce>` and `<script nonce>`: the page's Content-Security-Policy allows nothing else. */
  readonly nonce: string
  readonly theme: PageTheme
}

/** A user as a page names them: the platform as it is written, and the name on it; masked, where the app gave none to show. */
export interface NamedUser {
  readonly platform: string
  readonly user: string
}

/** What the page about a link says. */
export interface ConfirmContent extends NamedUser {
  /** Where the form posts to. A button named `notMe` says that the person did not ask for the link. */
  readonly action: string
  /** Hidden fields that the form must send. */
  readonly fields: Readonly<Record<string, string>>
  /** The form must have a text field `code` for the digits that the chat shows. */
  readonly needsCode: boolean
  /** The digits that were sent before were wrong. */
  readonly isCodeWrong: boolean
  /** What was sent before is not six digits. It cost no attempt. */
  readonly isCodeIncomplete: boolean
  readonly kind: string
  readonly agentId?: string | undefined
  /** What `issueLink` was given to show. */
  readonly display?: LinkDisplay | undefined
  /** The next step is a sign-in at a provider of this name. */
  readonly provider?: string | undefined
  /** The sign-in will connect the person's account with this user: nobody is connected yet. */
  readonly connects: boolean
  /** Once connected, a sign-in without a link opens this user's settings (`returning: 'sign-in'`). */
  readonly returns: boolean
  /** Whose session of this browser the link's session replaces. */
  readonly replaces?: NamedUser | undefined
  readonly expiresAt: Date
  /** Seconds until then. */
  readonly secondsLeft: number
}

/** What the page about another user's account says. The user is whom it will be connected to. */
export interface ReleaseContent extends NamedUser {
  /** Where the form posts to. */
  readonly action: string
  /** Hidden fields that the form must send. */
  readonly fields: Readonly<Record<string, string>>
  /** Once connected, a sign-in without a link opens this user's settings (`returning: 'sign-in'`). */
  readonly returns: boolean
}

/** What each page says, by the page's name. Its sentences are in the request's language. */
export interface PageModels {
  /** What a link would open, for whom, until when, and a button. */
  readonly confirm: PageModel & ConfirmContent
  /** Continues by itself; where a browser does not do that, by its one link. */
  readonly interstitial: PageModel & {
    readonly goTo: string
    readonly text: string
    readonly link: string
    /**
     * 0: it continues at once. Otherwise it asks at `goTo` every so many seconds, with `Accept: application/json`, and
     * continues when the answer is not `{ "waiting": true }`.
     */
    readonly delaySeconds: number
  }
  /** A refusal. */
  readonly error: PageModel & {
    readonly status: number
    /** Why: what the audit event says, too. A page that shows it tells a stranger more than ours do. */
    readonly reason: SettingsSessionReason | SettingsSessionDependency | 'audit_sink'
    readonly title: string
    readonly text: string
    /** What the person can do about it. */
    readonly link?: { readonly href: string; readonly text: string } | undefined
  }
  /** After signing out. */
  readonly loggedOut: PageModel
  /** After the person said that a link is not theirs. */
  readonly notMe: PageModel
  /** The account that signed in is another user's: the person can have it released. */
  readonly release: PageModel & ReleaseContent
  /** Posts what Telegram signed. */
  readonly telegram: PageModel & {
    /** Where the page posts Telegram's data to, as JSON: `{ "initData": "…" }`. The answer is `{ "goTo": "…" }`. */
    readonly action: string
    /** Where the page leads when Telegram gave it no data: the person is signed in already. */
    readonly otherwise?: string | undefined
  }
}

/** The name of a page. */
export type PageName = keyof PageModels

/** What a page's caller says, by the page's name: sentences by their keys. */
export interface PageContents {
  readonly confirm: ConfirmContent
  readonly interstitial: {
    readonly goTo: string
    readonly text: Message
    readonly link: Message
    readonly delaySeconds: number
  }
  readonly error: Pick<PageModels['error'], 'status' | 'reason'> & {
    readonly words: ErrorWords
    readonly link?: { readonly href: string; readonly text: Message } | undefined
  }
  readonly loggedOut: object
  readonly notMe: object
  readonly release: ReleaseContent
  readonly telegram: Pick<PageModels['telegram'], 'action' | 'otherwise'>
}

/** Pages of the app's own: each gets what the page says and returns a whole HTML document. A throw is answered with 500. */
export interface PageOptions {
  readonly theme?: PageTheme | undefined
  /**
   * The language of the sentences, a BCP 47 tag; or several, of which the browser's preference chooses, the default one
   * first. English, German, Spanish and Arabic are there. Default `en`.
   */
  readonly lang?: string | readonly string[] | undefined
  /** Sentences of the app's own, by language and key: some, or all of a language that is not there. */
  readonly texts?: OwnTexts | undefined
  readonly confirm?: ((model: PageModels['confirm']) => string) | undefined
  readonly interstitial?: ((model: PageModels['interstitial']) => string) | undefined
  readonly error?: ((model: PageModels['error']) => string) | undefined
  readonly loggedOut?: ((model: PageModels['loggedOut']) => string) | undefined
  readonly notMe?: ((model: PageModels['notMe']) => string) | undefined
  readonly release?: ((model: PageModels['release']) => string) | undefined
  readonly telegram?: ((model: PageModels['telegram']) => string) | undefined
}

/** The option `pages`, validated. */
export interface ResolvedPages {
  readonly own: { readonly [N in PageName]?: ((model: PageModels[N]) => string) | undefined }
  readonly theme: PageTheme
  readonly languages: readonly Language[]
  /** Where pictures may come from. */
  readonly images: readonly string[]
}

const PAGE = option.syncFunc<(model: never) => string>()
const TAG = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/
const isTag = (value: unknown) => typeof value === 'string' && TAG.test(value)
const RULES = {
  theme: option.port<PageTheme>('an object of brand, logo, icon, colour and css').default({}),
  lang: option
    .custom<readonly string[]>('a language tag such as de, or a list of them', (value) => {
      if (isTag(value)) return [value as string]
      return Array.isArray(value) && value.length > 0 && value.every(isTag) ? (value as string[]) : undefined
    })
    .default(['en']),
  texts: option.port<OwnTexts>('an object of languages, each an object of sentences').default({}),
  confirm: PAGE,
  interstitial: PAGE,
  error: PAGE,
  loggedOut: PAGE,
  notMe: PAGE,
  release: PAGE,
  telegram: PAGE,
}
const ALIASES = { language: 'pages.lang', languages: 'pages.lang', locale: 'pages.lang' }

/**
 * Validates the option `pages`.
 *
 * @throws {OptionError}
 */
export function resolvePages(options: PageOptions): ResolvedPages {
  const {
    theme: given,
    lang,
    texts,
    ...own
  } = resolveOptions('createSettingsSessions', options, RULES, 'pages.', ALIASES)
  const theme = resolveTheme(given)
  return {
    own: own as ResolvedPages['own'],
    theme,
    languages: resolveLanguages(lang, texts),
    images: imageSources(theme),
  }
}
