import { option, resolveOptions } from '@countersign/core/gate-kit'

/** The look of the pages. */
export interface PageTheme {
  /** Shown above each page's heading. */
  readonly brand?: string | undefined
  /** Language tag of the texts. Default `en`. */
  readonly lang?: string | undefined
  /** CSS after our own; `--accent`, `--text`, `--background` and `--surface` are the colours. */
  readonly css?: string | undefined
}

/** What every page is made from. */
export interface PageModel {
  /** For `<style nonce>` and `<script nonce>`: the page's Content-Security-Policy allows nothing else. */
  readonly nonce: string
  readonly theme: PageTheme
}

/** What each page says, by the page's name. */
export interface PageModels {
  /** What a link would open, for whom, until when, and a button. */
  readonly confirm: PageModel & {
    /** Where the form posts to. */
    readonly action: string
    /** Hidden fields that the form must send. */
    readonly fields: Readonly<Record<string, string>>
    /** The form must have a text field `code` for the digits that the chat shows. */
    readonly needsCode: boolean
    /** The digits that were sent before were wrong. */
    readonly isCodeWrong: boolean
    readonly kind: string
    readonly platform: string
    /** The user's name on the platform, masked. */
    readonly user: string
    readonly agentId?: string | undefined
    /** The next step is a sign-in at a provider of this name. */
    readonly provider?: string | undefined
    readonly expiresAt: Date
  }
  /** Continues by itself; where a browser does not do that, by its one link. */
  readonly interstitial: PageModel & {
    readonly goTo: string
    readonly text: string
    readonly link: string
    /** Seconds until it continues. */
    readonly delaySeconds: number
  }
  /** A refusal. */
  readonly error: PageModel & {
    readonly status: number
    readonly title: string
    readonly text: string
    /** What the person can do about it. */
    readonly link?: { readonly href: string; readonly text: string } | undefined
  }
  /** After signing out. */
  readonly loggedOut: PageModel
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

/** What a page's caller says; nonce and theme are added. */
export type PageContent<N extends PageName> = Omit<PageModels[N], keyof PageModel>

/** Pages of the app's own: each gets what the page says and returns a whole HTML document. A throw is answered with 500. */
export interface PageOptions {
  readonly theme?: PageTheme | undefined
  readonly confirm?: ((model: PageModels['confirm']) => string) | undefined
  readonly interstitial?: ((model: PageModels['interstitial']) => string) | undefined
  readonly error?: ((model: PageModels['error']) => string) | undefined
  readonly loggedOut?: ((model: PageModels['loggedOut']) => string) | undefined
  readonly telegram?: ((model: PageModels['telegram']) => string) | undefined
}

const PAGE = option.syncFunc<(model: never) => string>()
const TEXT = option.custom<string>('a string', (value) => (typeof value === 'string' ? value : undefined))
const THEME_RULES = { brand: TEXT, lang: TEXT, css: TEXT }
const RULES = {
  theme: option.port<PageTheme>('an object of brand, lang and css').default({}),
  confirm: PAGE,
  interstitial: PAGE,
  error: PAGE,
  loggedOut: PAGE,
  telegram: PAGE,
}

/**
 * Validates the option `pages`.
 *
 * @throws {OptionError}
 */
export function resolvePages(options: PageOptions): PageOptions {
  const pages = resolveOptions('createSettingsSessions', options, RULES, 'pages.') as PageOptions
  return { ...pages, theme: resolveOptions('createSettingsSessions', pages.theme, THEME_RULES, 'pages.theme.') }
}
