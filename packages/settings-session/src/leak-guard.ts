import { type Audit, audit as defaultAudit, type Middleware } from '@countersign/core'
import { describeRequest, option, resolveOptions, warnOnce } from '@countersign/core/gate-kit'
import type { RequestHandler } from 'express'
import { reportChange } from './events.js'
import { guardResponse } from './leaks/guard-response.js'

/** Options of {@link leakGuard}. */
export interface LeakGuardOptions {
  /** Default: the process-wide emitter, `audit`. */
  readonly audit?: Audit | undefined
  /** The route that audit events name. */
  readonly route?: string | undefined
}

const RULES = {
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
  route: option.string(),
}

/**
 * Stops a response that holds a link or a session token, in its head, its body or its trailers. While nothing is sent, the
 * answer becomes a 500; afterwards the stream is destroyed. Both with an audit event. For the routes that agents reach;
 * mount it before their handlers and after what compresses: an answer that is compressed before it gets here cannot be
 * read, and is a 500, too.
 *
 * Streams flow: what cannot be part of a token is sent at once. A token is found as it is, in UTF-16, escaped for JSON,
 * HTML, URLs or MarkdownV2 (three levels deep), and in base64 of a text that has the whole token.
 *
 * @throws {OptionError} at creation.
 * @example app.use('/agent', compression(), leakGuard(), agentRoutes)
 */
export function leakGuard(options: LeakGuardOptions = {}): Middleware {
  const { audit, route } = resolveOptions('leakGuard', options, RULES)
  return function countersignLeakGuard(request, response, next) {
    guardResponse(request, response, (leak, status) => {
      if (leak === 'encoded') tellOfOrder()
      const http = describeRequest(request, route, status)
      reportChange(audit, 'settings.leak.stopped', { http, attributes: { where: leak } })
    })
    next()
  } satisfies RequestHandler as Middleware
}

function tellOfOrder(): void {
  warnOnce({
    code: 'COUNTERSIGN_SETTINGS_LEAK_GUARD_ORDER',
    message: 'leakGuard got a compressed response, which it cannot check, and answered 500 instead',
    remedy:
      'Mount compression before leakGuard: app.use(compression(), leakGuard()). Do not serve compressed files to agents.',
  })
}
