import { test } from '@jest/globals'
import express from 'express'
import { expectLinearTime, type Frame, type ParserRow, parsersOf } from '../../../test/support/linear-time.js'
import { cookieValues } from '../src/cookies.js'
import { mediaTypeOf, siteOf } from '../src/csrf.js'
import { parseOpenCookie } from '../src/links/open-cookie.js'
import { parseReceipt } from '../src/links/receipts.js'
import { wantsHtml } from '../src/pages/error-page.js'
import { readSession } from '../src/read.js'
import { FORM } from '../src/routes/body.js'
import { parseReturnTo } from '../src/site.js'
import { parseFields, verifyInitData } from '../src/telegram/init-data.js'
import { resolveTelegram } from '../src/telegram/telegram-options.js'
import { isTag, parseToken, TOKEN_ANYWHERE } from '../src/tokens.js'

const NAME = '__Host-countersign-settings'
const TOKEN = `s1.0${'a'.repeat(16)}.`
const around: readonly Frame[] = [(run) => run, (run) => `a${run}a`, (run) => `${TOKEN}${run}`]
const cookies: readonly Frame[] = [
  (run) => `${NAME}=${run}`,
  (run) => `${NAME}=a${run}a`,
  (run) => `a${run}a; ${NAME}=a`,
  (run) => `${run}${NAME}${run}=${run}`,
]
const withHeaders = (headers: Record<string, string>, originalUrl = '/') =>
  Object.assign(Object.create(express.request), { headers, originalUrl, rawHeaders: Object.entries(headers).flat() })
const site = { origin: 'https://app.example.com', path: '/settings' }
const telegram = resolveTelegram({ botToken: '12345:AAAAAAAAAAAAAAAAAAAAAAAAA' })

const PARSERS: readonly ParserRow[] = [
  ['a cookie', (text) => cookieValues(withHeaders({ cookie: text }), NAME), cookies],
  ['the cookie of a session', (text) => readSession(withHeaders({ cookie: text }), NAME), cookies],
  ['the query', (text) => readSession(withHeaders({}, text), NAME), [(run) => `/?${run}`, (run) => `/?${TOKEN}${run}`]],
  ['a token', (text) => parseToken('s', text), around],
  ['a token in a text', (text) => TOKEN_ANYWHERE.test(text), around],
  ['a tag', isTag],
  ['the cookie of a link', parseOpenCookie, around],
  ['a receipt', parseReceipt, [(run) => run, (run) => `{"type":"${run}"}`]],
  ['the kind of a receipt', (text) => parseReceipt({ type: text, linkId: '', expiresAt: text, delivered: true })],
  ['a place to return to', (text) => parseReturnTo(text, site), [(run) => run, (run) => `/settings/${run}`]],
  [
    'initData',
    (text) => verifyInitData(text, telegram, 0),
    [(run) => run, (run) => `hash=${run}`, (run) => `user=${run}`],
  ],
  ['the fields of initData', parseFields],
  ['the media type', (text) => mediaTypeOf(withHeaders({ 'content-type': text })), around],
  ['Origin', (text) => siteOf(withHeaders({ origin: text, 'sec-fetch-site': text }), site.origin)],
  [
    'Accept',
    (text) => wantsHtml(withHeaders({ accept: text })),
    [(run) => run, (run) => `"${run}`, (run) => `text/html;a="${run}`, (run) => `text/html,a${run}a/b`],
  ],
  ['a form', (text) => ignoringErrors(() => FORM.parse(text))],
]

function ignoringErrors(parse: () => unknown): unknown {
  try {
    return parse()
  } catch {
    return undefined
  }
}

test.each(parsersOf(PARSERS))('[settings-linear-time] $name is read in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames)
})
