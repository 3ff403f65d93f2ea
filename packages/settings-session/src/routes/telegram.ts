import { partitionOf } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { onlyCookie, setCookie } from '../cookies.js'
import { mediaTypeOf, siteOf } from '../csrf.js'
import { type Engine, eventPrincipal, pathTo } from '../engine.js'
import { sendPage } from '../pages/send-page.js'
import { principalId, type SettingsUser, userKey } from '../principal.js'
import { type InitData, verifyInitData } from '../telegram/init-data.js'
import type { ResolvedTelegram } from '../telegram/telegram-options.js'
import { mintTag, mintToken, parseToken, type Token } from '../tokens.js'
import { refuse } from './answers.js'
import { setSessionCookie } from './session-response.js'

/** Milliseconds by which Telegram's clock may be ahead of ours. */
const FUTURE_MS = 60_000

/**
 * `GET /telegram`: the stable link's page. It holds no secret; it posts what Telegram handed to it. The browser is known
 * from here on: an answer to the post that is lost must not lock it out.
 */
export function telegramPage(engine: Engine, telegram: ResolvedTelegram, request: Request, response: Response): void {
  knowDevice(engine, telegram, request, response)
  sendPage(engine.options.pages, request, response, 'telegram', { action: pathTo(engine, '/telegram') })
}

/** `POST /telegram`: a session for whom Telegram's signed data names. */
export async function openByTelegram(
  engine: Engine,
  telegram: ResolvedTelegram,
  request: Request,
  response: Response,
): Promise<void> {
  const isJson = mediaTypeOf(request) === 'application/json'
  if (!isJson || siteOf(request, engine.origin) !== 'same_origin') {
    return refuse(engine, request, response, { reason: 'cross_site' })
  }
  const { clock, store } = engine.options
  const { initData } = (request.body ?? {}) as Partial<Record<string, unknown>>
  const data = verifyInitData(initData, telegram, clock.now())
  if (data === undefined) return refuse(engine, request, response, { reason: 'telegram_invalid' })
  const user = userOf(data)
  const principal = eventPrincipal({ user })
  if (data.chatId !== undefined && !(await telegram.allowChat?.(data.user, data.chatId))) {
    const event = { principal, attributes: { cause: 'chat' } }
    return refuse(engine, request, response, { reason: 'telegram_invalid', event })
  }
  const lastsMs = Math.max(1000, data.authDate + telegram.maxAgeMs + FUTURE_MS - clock.now())
  // Before the data is used up: whatever comes after, this browser may come again.
  const device = knowDevice(engine, telegram, request, response)
  if ((await store.useInitData(data.fingerprint, device.hash, lastsMs)) === 'replayed') {
    return refuse(engine, request, response, { reason: 'telegram_replayed', event: { principal } })
  }
  const token = mintToken('s', mintTag(partitionOf(userKey(user))))
  const state = engine.provider === undefined ? 'active' : 'awaiting_identity'
  const content = { user, kind: 'settings' }
  await store.openSession({ ref: token, content, state, limits: engine.limits })
  if (state === 'active') {
    engine.emit({
      type: 'settings.session.opened',
      owasp: 'authn_login_success',
      principal: { kind: 'settings-session', id: principalId(user) },
      credential: { id: token.tag },
      attributes: { kind: 'settings', by: 'telegram' },
    })
  }
  setSessionCookie(engine, response, token)
  response.setHeader('Cache-Control', 'no-store')
  response.json({ goTo: pathTo(engine, state === 'active' ? '' : '/oauth/start') })
}

/** The browser's device token, a new one when it has none, and its cookie. */
function knowDevice(engine: Engine, { maxAgeMs }: ResolvedTelegram, request: Request, response: Response): Token {
  const device = parseToken('d', onlyCookie(request, engine.cookies.device)) ?? mintToken('d', mintTag(0))
  setCookie(response, engine.cookies.device, device.text, { maxAgeSeconds: maxAgeMs / 1000 })
  return device
}

/** The settings of a group are those of its member within the group: the group is the team. */
function userOf({ user, chatId }: InitData): SettingsUser {
  return { platform: 'telegram', ...(chatId === undefined ? {} : { team: chatId }), userId: user.id }
}
