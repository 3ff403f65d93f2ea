import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { PageContent, PageName, PageOptions } from './page-options.js'
import { defaultPages } from './pages.js'

const nonces = new WeakMap<object, string>()
const nonceSource = (_request: unknown, response: ServerResponse) => `'nonce-${nonces.get(response)}'`

// Stricter than helmet's defaults, except for the referrer policy: with `no-referrer` a browser sends `Origin: null` with
// our own form.
const securePage = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'style-src': [nonceSource],
      'script-src': [nonceSource],
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

/**
 * The document of a page, by the app's own function where there is one. The page's headers are set on the response, over
 * those that the app's own helmet set.
 */
export function renderPage<N extends PageName>(
  pages: PageOptions,
  request: IncomingMessage,
  response: ServerResponse,
  name: N,
  content: PageContent<N>,
): string {
  const nonce = setPageHeaders(request, response)
  const page = (pages[name] ?? defaultPages[name]) as (model: unknown) => string
  return page({ ...content, nonce, theme: pages.theme ?? {} })
}

function setPageHeaders(request: IncomingMessage, response: ServerResponse): string {
  const nonce = randomBytes(16).toString('base64url')
  nonces.set(response, nonce)
  let failure: unknown
  securePage(request, response, (error?: unknown) => {
    failure = error
  })
  if (failure !== undefined) throw failure
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('X-Robots-Tag', 'noindex, nofollow')
  return nonce
}
