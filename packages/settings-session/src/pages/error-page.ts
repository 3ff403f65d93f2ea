import type { Answer } from '@countersign/core'
import type { Denied, Unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { SettingsSessionDependency, SettingsSessionReason } from '../reasons.js'
import type { PageOptions } from './page-options.js'
import { HTML_TYPE, renderPage } from './render-page.js'
import { DENIED_WORDS, type ErrorWords, SIGNED_OUT_WORDS, UNAVAILABLE_WORDS, UNSENT_WORDS } from './texts.js'

/** A link that a page shows. */
export interface PageLink {
  readonly href: string
  readonly text: string
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

/** The words for a refusal of a request with this method. */
export function wordsFor(
  refusal: Denied<SettingsSessionReason> | Unavailable<SettingsSessionDependency | 'audit_sink'>,
  method = 'GET',
): ErrorWords {
  if (refusal.outcome === 'denied' && method === 'POST' && DENIED_WORDS[refusal.reason] === SIGNED_OUT_WORDS)
    return UNSENT_WORDS
  return refusal.outcome === 'denied' ? DENIED_WORDS[refusal.reason] : UNAVAILABLE_WORDS[refusal.dependency]
}

/** An answer as a page, where the request wants one. */
export function asErrorPage(
  answer: Answer,
  words: ErrorWords,
  request: Request,
  pages: PageOptions,
  link?: PageLink,
): Answer {
  const { res: response } = request
  if (response === undefined || !wantsHtml(request)) return answer
  const body = renderPage(pages, request, response, 'error', { status: answer.status, ...words, link })
  return { ...answer, body, headers: { ...answer.headers, 'Content-Type': HTML_TYPE } }
}
