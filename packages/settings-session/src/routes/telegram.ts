import { denied, partitionOf, unavailableBy } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { setCookie, tokenInCookie } from '../cookies.js'
import { isJson, siteOf } from '../csrf.js'
import { grantChange, reportChange, reportEnded } from '../events.js'
import { principalId, type SettingsUser } from '../principal.js'
import { pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import { type InitData, verifyInitData } from '../telegram/init-data.js'
import type { ResolvedTelegram } from '../telegram/telegram-options.js'
import { mintTag, mintToken, type Token } from '../tokens.js'
import { changedBy, type RouteContext } from './context.js'
import { type Outcome, page } from './outcome.js'
import { isSignedIn, setSessionCookie, undoOpening } from './session.js'

/**
 * `GET /telegram`: the page of the stable link. It holds no secret; it posts what Telegram handed to it. The browser is
 * known from here on, so an answer to the post that is lost does not lock it out.
 */
export async function telegramPage(
  context: RouteContext,
  telegram: ResolvedTelegram,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const { site } = context
  knowDevice(site, telegram, request, response)
  // A reload has no data any more: the page has taken it out of the URL.
  const otherwise = (await isSignedIn(context, request)) ? pathTo(site, '') : undefined
  return page('telegram', { action: pathTo(site, '/telegram'), otherwise })
}

/** `POST /telegram`: a session for the user whom Telegram's signed data names. */
export async function openByTelegram(
  context: RouteContext,
  telegram: ResolvedTelegram,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const { site, store, limits, provider, audit, clock } = context
  if (siteOf(request, site.origin) !== 'same_origin') return denied('cross_site')
  if (!isJson(request)) return denied('unsupported_body')
  const { initData } = (request.body ?? {}) as Partial<Record<string, unknown>>
  const data = verifyInitData(initData, telegram, clock.now())
  if ('invalid' in data) return denied('telegram_invalid', { detail: { attributes: data.invalid } })
  const user = userOf(data)
  const detail = { principalId: principalId(user) }
  try {
    if (data.chatId !== undefined && !(await telegram.allowChat?.(data.user, data.chatId))) {
      return denied('telegram_invalid', { detail: { ...detail, attributes: { cause: 'chat' } } })
    }
  } catch (error) {
    return unavailableBy(error, 'allow_chat', detail)
  }
  // Before the data is used up: whatever happens next, this browser may come again.
  const device = knowDevice(site, telegram, request, response)
  const rememberMs = Math.max(1000, data.expiresAt - clock.now())
  if ((await store.useInitData(data.fingerprint, device.hash, rememberMs)) === 'replayed') {
    return denied('replayed', { detail })
  }
  const token = mintToken('s', mintTag(partitionOf(userKey(user))))
  const state = provider === undefined ? 'active' : 'awaiting_identity'
  const { ended } = await store.openSession({ ref: token, content: { user, kind: 'settings' }, state, limits })
  const session = { id: token.tag, user }
  const http = changedBy(context, request)
  const change = { ...session, http, attributes: { kind: 'settings', by: 'telegram' } }
  if (state === 'active') {
    const undo = () => undoOpening(context, request, token, user)
    const recording = grantChange(audit, 'settings.session.opened', change, undo)
    reportEnded(audit, session, ended, http)
    await recording
  } else {
    reportChange(audit, 'settings.session.pending', change)
    reportEnded(audit, session, ended, http)
  }
  setSessionCookie(context, response, token)
  return { outcome: 'json', body: { goTo: pathTo(site, state === 'active' ? '' : '/oauth/start') } }
}

/** The browser's device token, a new one when it has none, and its cookie. */
function knowDevice({ cookies }: Site, { maxAgeMs }: ResolvedTelegram, request: Request, response: Response): Token {
  const device = tokenInCookie(request, cookies.device, 'd') ?? mintToken('d', mintTag(0))
  setCookie(response, cookies.device, device.text, { maxAgeSeconds: maxAgeMs / 1000 })
  return device
}

/** The settings of a group are those of its member within the group: the group is the team. */
function userOf({ user, chatId }: InitData): SettingsUser {
  return { platform: 'telegram', ...(chatId === undefined ? {} : { team: chatId }), userId: user.id }
}
