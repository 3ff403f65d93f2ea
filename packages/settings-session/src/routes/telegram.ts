import { denied, isDenied, partitionOf, unavailableBy } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { refuseTooMany } from '../attempts.js'
import { setCookie, tokenInCookie } from '../cookies.js'
import { isJson, siteOf } from '../csrf.js'
import { grantChange, openingAttributes, reportChange, reportEnded } from '../events.js'
import { principalId, type SettingsUser } from '../principal.js'
import { pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import type { OpeningResult } from '../store/port.js'
import { type InitData, verifyInitData } from '../telegram/init-data.js'
import type { ResolvedTelegram } from '../telegram/telegram-options.js'
import { deriveSecret, mintTag, mintToken, type Token } from '../tokens.js'
import { isWhole } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'
import { type Outcome, page } from './outcome.js'
import { currentSession, isSignedIn, setSessionCookie, undoOpening } from './session.js'

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
  const { site, store, provider, audit, clock } = context
  if (siteOf(request, site.origin) !== 'same_origin') return denied('cross_site')
  if (!isJson(request)) return denied('unsupported_body')
  const { initData } = (request.body ?? {}) as Partial<Record<string, unknown>>
  const data = verifyInitData(initData, telegram, clock.now())
  if ('invalid' in data) return denied('telegram_invalid', { detail: { attributes: data.invalid } })
  let user: SettingsUser
  try {
    const isAllowed = data.chat === undefined ? false : await telegram.allowChat?.(data.user, data.chat.chat)
    user = userOf(data, isAllowed === true)
    if (data.chat !== undefined && isAllowed !== true && !data.chat.isByTheWay) {
      return denied('telegram_invalid', { detail: { principalId: principalId(user), attributes: { cause: 'chat' } } })
    }
  } catch (error) {
    return unavailableBy(error, 'allow_chat', { principalId: principalId(userOf(data, false)) })
  }
  const detail = { principalId: principalId(user) }
  const place = (isActive: boolean): Outcome => ({
    outcome: 'json',
    body: { goTo: pathTo(site, isActive ? '' : '/oauth/start') },
  })
  // Before the data is used up: whatever happens next, this browser may come again.
  const device = knowDevice(site, telegram, request, response)
  if (await isSessionOf(context, request, user)) return place(true)
  const tooMany =
    (await refuseTooMany(store, 'user', userKey(user))) ?? (await refuseTooMany(store, 'device', device.tag))
  if (tooMany !== undefined) return { ...tooMany, detail: { ...detail, ...tooMany.detail } }
  const opened = await openOnce(context, data, device, user)
  if (opened === 'replayed') return denied('replayed', { detail })
  const { token, isRepeat, ended } = opened
  const isActive = provider === undefined
  const session = { id: token.tag, user }
  const http = changedBy(context, request)
  const attributes = { ...openingAttributes({ kind: 'settings', linkId: undefined }, isRepeat), by: 'telegram' }
  const change = { ...session, http, attributes }
  if (isActive) {
    // The session of a repeat is the first request's too, which undoes it when that was not recorded either.
    const undo = () => (isRepeat ? undefined : undoOpening(context, request, token, user))
    const recording = grantChange(audit, 'settings.session.opened', change, undo)
    reportEnded(audit, session, ended, http)
    await recording
  } else {
    reportChange(audit, 'settings.session.pending', change)
    reportEnded(audit, session, ended, http)
  }
  setSessionCookie(context, response, token)
  return place(isActive)
}

/** Whether the browser's own session is one of this user's settings already: then nothing new is opened. */
async function isSessionOf(context: RouteContext, request: Request, user: SettingsUser): Promise<boolean> {
  const current = await currentSession(context, request)
  if (isDenied(current)) return false
  const { session } = current
  const isWholeOne = isWhole(session, context.provider !== undefined)
  return isWholeOne && session.kind === 'settings' && userKey(session.user) === userKey(user)
}

/**
 * The session of this browser for this data: the same one for a repeat. Its secret is derived from the browser's own, so a
 * repeat after a lost answer has it too. Where that session has ended, there is another one.
 */
async function openOnce(
  context: RouteContext,
  data: InitData,
  device: Token,
  user: SettingsUser,
  ended?: number,
): Promise<(Extract<OpeningResult, { outcome: 'found' }> & { readonly token: Token }) | 'replayed'> {
  const { store, limits, provider, clock } = context
  const rememberMs = Math.max(1000, data.expiresAt - clock.now())
  const use = await store.useInitData(data.fingerprint, device.hash, rememberMs, ended)
  if (use === 'replayed') return use
  const part = (purpose: string) => deriveSecret(device.text, purpose, data.fingerprint, String(use))
  const tag = partitionOf(userKey(user)).toString(16) + part('session-tag').slice(0, 16)
  const token = mintToken('s', tag, part('session'))
  const state = provider === undefined ? 'active' : 'awaiting_identity'
  const opened = await store.openSession({ ref: token, content: { user, kind: 'settings' }, state, limits })
  return opened.outcome === 'found' ? { ...opened, token } : openOnce(context, data, device, user, use)
}

/** The browser's device token, a new one when it has none, and its cookie. */
function knowDevice({ cookies }: Site, { maxAgeMs }: ResolvedTelegram, request: Request, response: Response): Token {
  const device = tokenInCookie(request, cookies.device, 'd') ?? mintToken('d', mintTag(0))
  setCookie(response, cookies.device, device.text, { maxAgeSeconds: maxAgeMs / 1000 })
  return device
}

/**
 * The settings of a group are those of its member within the group: the group is the team. What is by the way alone, and not
 * allowed, is the person's own.
 */
function userOf({ user, chat }: InitData, isAllowed: boolean): SettingsUser {
  const isOfChat = chat !== undefined && (isAllowed || !chat.isByTheWay)
  return { platform: 'telegram', ...(isOfChat ? { team: chat.team } : {}), userId: user.id }
}
