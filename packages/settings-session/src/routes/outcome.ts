import type { AuditEventType, Denied, Unavailable } from '@countersign/core/gate-kit'
import type { PageLink } from '../pages/error-page.js'
import type { Message } from '../pages/languages.js'
import type { PageContents, PageName } from '../pages/page-options.js'
import type { ErrorWords } from '../pages/texts.js'
import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'

/** The outcome of a route: a reply, or a refusal that is recorded and answered as a gate's is. */
export type Outcome = Reply | RouteRefusal

/** What a route sends when it refuses nothing. */
export type Reply =
  | PageReply
  | { readonly outcome: 'redirect'; readonly status: 302 | 303; readonly to: string }
  | { readonly outcome: 'json'; readonly body: object }
  | { readonly outcome: 'empty' }

/** A page by its name, and what it says. */
export type PageReply = {
  readonly [N in PageName]: { readonly outcome: 'page'; readonly name: N; readonly content: PageContents[N] }
}[PageName]

/** A refusal of a route. */
export type RouteRefusal = RouteDenied | Unavailable<SettingsSessionDependency | 'audit_sink'>

/** A denial, and what its event and its answer have beyond a gate's. */
export interface RouteDenied extends Denied<SettingsSessionReason> {
  /** The event's type. Default `access.denied`. */
  readonly type?: Extract<AuditEventType, 'settings.link.refused' | 'settings.identity.mismatch'> | undefined
  /** What the error page says. Default: the words for the reason. */
  readonly words?: ErrorWords | undefined
  /** What the person can do, on the error page. */
  readonly link?: PageLink | undefined
  /** Answered in place of the error page, to programs too. */
  readonly page?: PageReply | undefined
}

/** Whether a route does not refuse. */
export function isReply(outcome: { readonly outcome: string }): outcome is Reply {
  return ['page', 'redirect', 'json', 'empty'].includes(outcome.outcome)
}

/** A page. */
export function page<N extends PageName>(name: N, content: PageContents[N]): PageReply {
  return { outcome: 'page', name, content } as PageReply
}

/** On to another place, with GET. */
export function seeOther(to: string): Reply {
  return { outcome: 'redirect', status: 303, to }
}

/**
 * On to another place by a page: a redirect that answers a form is blocked where `form-action 'self'` holds, as with
 * helmet's defaults.
 */
export function continueOnPage(goTo: string, text: Message): PageReply {
  return page('interstitial', { goTo, text, link: 'continue', delaySeconds: 0 })
}
