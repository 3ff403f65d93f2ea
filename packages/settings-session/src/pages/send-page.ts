import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { PageModel, PageOptions } from './page-options.js'
import { defaultPages } from './pages.js'

const nonces = new WeakMap<object, string>()
const nonceSource = (_request: unknown, response: ServerResponse) => `'nonce-${nonces.get(response)}'`

// Stricter than helmet's defaults in two places, and milder in one: with `no-referrer` a browser sends `Origin: null`
// with our own form.
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

type Pages = Required<Omit<PageOptions, 'theme'>>
type Model<N extends keyof Pages> = Omit<Parameters<Pages[N]>[0], keyof PageModel>

/** Sets the headers of a page of ours on the response, over those that the app's own helmet set. */
export function setPageHeaders(request: IncomingMessage, response: ServerResponse): string {
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

/** The document of a page, by the app's own function where there is one; its headers are set on the response. */
export function renderPage<N extends keyof Pages>(
  options: PageOptions,
  request: IncomingMessage,
  response: ServerResponse,
  name: N,
  model: Model<N>,
): string {
  const nonce = setPageHeaders(request, response)
  const page = (options[name] ?? defaultPages[name]) as (model: unknown) => string
  return page({ ...model, nonce, theme: options.theme ?? {} })
}

export function sendPage<N extends keyof Pages>(
  options: PageOptions,
  request: IncomingMessage,
  response: ServerResponse,
  name: N,
  model: Model<N>,
  status = 200,
): void {
  const body = renderPage(options, request, response, name, model)
  if (response.headersSent || response.destroyed) return
  response.statusCode = status
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(request.method === 'HEAD' ? undefined : body)
}
