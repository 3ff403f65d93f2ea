import { option, resolveOptions } from '@countersign/core/gate-kit'

/** The look of the pages. */
export interface PageTheme {
  /** Shown above each page's heading. */
  readonly brand?: string
  /** Language tag of the texts. Default `en`. */
  readonly lang?: string
  /** CSS after our own; `--accent`, `--text`, `--background` and `--surface` are the colours. */
  readonly css?: string
}

/** What every page is made from. */
export interface PageModel {
  /** For `<style nonce>` and `<script nonce>`: the page's Content-Security-Policy allows nothing else. */
  readonly nonce: string
  readonly theme: PageTheme
}

export interface ConfirmModel extends PageModel {
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
  readonly agentId?: string
  /** The next step is a sign-in at a provider of this name. */
  readonly provider?: string
  readonly expiresAt: Date
}

/** A page that goes on by itself; without that, by its one link. */
export interface InterstitialModel extends PageModel {
  readonly goTo: string
  readonly text: string
  readonly link: string
  /** Seconds until it goes on. */
  readonly delaySeconds: number
}

export interface ErrorModel extends PageModel {
  readonly status: number
  readonly title: string
  readonly text: string
  /** What the person can do about it. */
  readonly link?: { readonly href: string; readonly text: string }
}

export interface LoggedOutModel extends PageModel {}

export interface TelegramModel extends PageModel {
  /** Where the page posts Telegram's data to, as JSON: `{ "initData": "…" }`. The answer is `{ "goTo": "…" }`. */
  readonly action: string
}

/** Pages of the app's own: each gets what the page says and returns a whole HTML document. */
export interface PageOptions {
  readonly theme?: PageTheme
  readonly confirm?: (model: ConfirmModel) => string
  readonly interstitial?: (model: InterstitialModel) => string
  readonly error?: (model: ErrorModel) => string
  readonly loggedOut?: (model: LoggedOutModel) => string
  readonly telegram?: (model: TelegramModel) => string
}

const page = option.func<(model: never) => string>()
const rules = {
  theme: option.custom<PageTheme>('an object of brand, lang and css', (value) =>
    value !== null && typeof value === 'object' && Object.values(value).every((item) => typeof item === 'string')
      ? (value as PageTheme)
      : undefined,
  ),
  confirm: page,
  interstitial: page,
  error: page,
  loggedOut: page,
  telegram: page,
}

/** @throws {OptionError} */
export function resolvePages(options: PageOptions): PageOptions {
  return resolveOptions('createSettingsSessions', options, rules, 'pages.') as PageOptions
}
