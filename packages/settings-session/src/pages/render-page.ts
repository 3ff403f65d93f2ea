import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request } from 'express'
import helmet from 'helmet'
import { languageFor, type Message, say } from './languages.js'
import type { PageContents, PageModel, PageName, ResolvedPages } from './page-options.js'
import { defaultPages } from './pages.js'
import type { PageTexts } from './texts/en.js'

interface Allowed {
  readonly nonce: string
  readonly images: string
}

const allowed = new WeakMap<object, Allowed>()
const nonceSource = (_request: unknown, response: ServerResponse) => `'nonce-${allowed.get(response)?.nonce}'`
const imageSource = (_request: unknown, response: ServerResponse) => allowed.get(response)?.images ?? "'none'"

// Stricter than helmet's defaults, except for the referrer policy: with `no-referrer` a browser sends `Origin: null` with
// our own form.
const securePage = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'style-src': [nonceSource],
      'script-src': [nonceSource],
      'img-src': [imageSource],
      'connect-src': ["'self'"],
      'form-action': ["'self'"],
      'base-uri': ["'none'"],
      'frame-ancestors': ["'none'"],
    },
  },
  referrerPolicy: { policy: 'strict-origin' },
  xFrameOptions: { action: 'deny' },
  // The app's own choice for the whole host.
  strictTransportSecurity: false,
})

/** The `Content-Type` of a page. */
export const HTML_TYPE = 'text/html; charset=utf-8'

type Say = (message: Message) => string

/** What a page gets for what its caller said: sentences in place of their keys. */
const MODELS: { readonly [N in PageName]: (content: PageContents[N], say: Say, texts: PageTexts) => object } = {
  confirm: (content) => content,
  interstitial: ({ text, link, ...rest }, say) => ({ ...rest, text: say(text), link: say(link) }),
  error: ({ words, link, ...rest }, say, texts) => ({
    ...rest,
    title: texts[`${words}Title`],
    text: texts[`${words}Text`],
    link: link && { href: link.href, text: say(link.text) },
  }),
  loggedOut: (content) => content,
  notMe: (content) => content,
  release: (content) => content,
  telegram: (content) => content,
}

/**
 * The document of a page, by the app's own function where there is one. The page's headers are set on the response, over
 * those that the app's own helmet set.
 */
export function renderPage<N extends PageName>(
  { own, theme, languages, images }: ResolvedPages,
  request: Request,
  response: ServerResponse,
  name: N,
  content: PageContents[N],
): string {
  const nonce = randomBytes(16).toString('base64url')
  setPageHeaders(request, response, { nonce, images: images.join(' ') })
  const language = languageFor(request, languages)
  if (languages.length > 1) response.appendHeader('Vary', 'Accept-Language')
  const { texts } = language
  const model: PageModel = {
    ...MODELS[name](content, (message) => say(texts, message), texts),
    ...language,
    nonce,
    theme,
  }
  const page = (own[name] ?? defaultPages[name]) as (model: unknown) => string
  return page(model)
}

function setPageHeaders(request: IncomingMessage, response: ServerResponse, allow: Allowed): void {
  allowed.set(response, allow)
  let failure: unknown
  securePage(request, response, (error?: unknown) => {
    failure = error
  })
  if (failure !== undefined) throw failure
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('X-Robots-Tag', 'noindex, nofollow')
}
