import type { Answer } from '@countersign/core'
import type { Denied, Unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'
import type { Message } from './languages.js'
import type { ResolvedPages } from './page-options.js'
import { HTML_TYPE, renderPage } from './render-page.js'
import { DENIED_WORDS, type ErrorWords, SIGNED_OUT_WORDS, UNAVAILABLE_WORDS, UNSENT_WORDS } from './texts.js'

/** A link that a page shows. */
export interface PageLink {
  readonly href: string
  readonly text: Message
}

/** More than any browser sends. What parses it for Express 4 takes quadratic time on a quote and a run of commas. */
const MAX_ACCEPT_LENGTH = 1024

/** Whether the answer is for a person to look at. What accepts anything is a program, unless it says that it navigates. */
export function wantsHtml(request: Request): boolean {
  const { accept = '', 'sec-fetch-mode': mode, 'upgrade-insecure-requests': upgrades } = request.headers
  const isNavigation = mode === 'navigate' || upgrades === '1'
  const types = isNavigation ? ['html', 'json'] : ['json', 'html']
  return accept.length <= MAX_ACCEPT_LENGTH && request.accepts(types) === 'html'
}

/** What a page tells of. */
export type ToldRefusal = Denied<SettingsSessionReason> | Unavailable<SettingsSessionDependency | 'audit_sink'>

/** The words for a refusal of a request with this method. */
function wordsFor(refusal: ToldRefusal, method: string): ErrorWords {
  const isSignedOut = refusal.outcome === 'denied' && DENIED_WORDS[refusal.reason] === SIGNED_OUT_WORDS
  if (isSignedOut && method === 'POST') return UNSENT_WORDS
  return refusal.outcome === 'denied' ? DENIED_WORDS[refusal.reason] : UNAVAILABLE_WORDS[refusal.dependency]
}

/** An answer as a page, where the request wants one. */
export function asErrorPage(
  answer: Answer,
  refusal: ToldRefusal,
  request: Request,
  pages: ResolvedPages,
  link?: PageLink,
  words: ErrorWords = wordsFor(refusal, request.method),
): Answer {
  const { res: response } = request
  if (response === undefined || !wantsHtml(request)) return answer
  const reason = refusal.outcome === 'denied' ? refusal.reason : refusal.dependency
  const body = renderPage(pages, request, response, 'error', { status: answer.status, reason, words, link })
  return { ...answer, body, headers: { ...answer.headers, 'Content-Type': HTML_TYPE } }
}
