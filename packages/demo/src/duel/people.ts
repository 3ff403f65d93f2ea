import { randomUUID } from 'node:crypto'
import { SETTINGS_PATH } from '../app.js'
import { Browser, formOf } from '../browser.js'
import { isReached } from './exchange.js'
import { type Row, row, type Side } from './row.js'
import type { World } from './world.js'

/** One URL with both: our link, and the usual one's seal. The digits are shown in the chat. */
interface Link {
  readonly url: string
  readonly code: string
}

const PLATFORM = 'demo'

async function link({ demo, usualApp }: World): Promise<Link> {
  // Somebody else each time: guesses are counted for each user.
  const userId = `alice-${randomUUID().slice(0, 8)}`
  const issued = await demo.settings.issueLink({ platform: PLATFORM, userId })
  let [url, code = ''] = ['', '']
  await demo.settings.deliver(issued, (sensitive, digits) => {
    url = sensitive.reveal('deliver-to-user')
    code = digits ?? ''
  })
  return { url: `${url}&seal=${encodeURIComponent(await usualApp.seal(userId))}`, code }
}

const browserOf = ({ send }: Side) =>
  new Browser((url, { method, headers, body }) =>
    send(url, { method, headers, body: body as string | URLSearchParams | undefined }),
  )

/** Opens the link; where a page with a button comes, and not the settings, types the digits there and presses it. */
async function open(browser: Browser, { url, code }: Link): Promise<Response> {
  const page = await browser.open(url)
  if (isReached(page) || page.status !== 200) return page
  const { action, fields } = formOf(await page.text()) ?? { action: '', fields: [] }
  return browser.press({ action, fields: [...fields, ['code', code]] }, url)
}

async function signOut(browser: Browser, { url }: Link): Promise<void> {
  await drained(await browser.press({ action: `${SETTINGS_PATH}/logout`, fields: [] }, url))
}

async function drained(answer: Response | Promise<Response>): Promise<void> {
  await (await answer).body?.cancel()
}

/** Digits that are not these. */
const otherThan = (code: string) => (code === '000000' ? '000001' : '000000')

/** A person with a link: `requireSettingsSession` beside an encrypted token in the URL. */
export const peopleRows: readonly Row[] = [
  row({
    id: 'person-valid',
    kind: 'valid',
    title: 'The person opens the link',
    story: 'A click in the chat, then the settings.',
    ours: {
      outcome: 'let in',
      status: 200,
      reason: 'granted',
      why: 'The person pressed a button and typed the digits of the chat. The session is in a cookie.',
    },
    usual: { outcome: 'let in', status: 200, why: 'The seal opens, and says who it is.' },
    prepare: link,
    play: (side, it) => open(browserOf(side), it),
  }),
  row({
    id: 'person-preview',
    kind: 'attack',
    title: 'Link preview',
    story: 'The chat’s preview robot fetches the link before the person does.',
    ours: {
      outcome: 'nothing opened',
      status: 200,
      reason: 'none',
      why: 'The robot gets a page with a button. Fetching changes nothing: the link still works for the person.',
    },
    usual: {
      outcome: 'let in',
      status: 200,
      why: 'The robot gets the settings themselves, and may show them in the chat.',
    },
    prepare: link,
    play: async (side, it) => {
      const headers = { 'User-Agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' }
      const preview = await browserOf(side).open(it.url, { headers })
      const person = await open(browserOf(side), it)
      if (!isReached(person)) throw new Error('after the preview the person was not let in')
      await drained(person)
      return preview
    },
  }),
  row({
    id: 'person-forwarded',
    kind: 'attack',
    title: 'Forwarded link',
    story: 'Somebody else has the link first, and guesses the digits.',
    ours: {
      outcome: 'refused',
      status: 403,
      reason: 'wrong_code',
      why: 'The link is not enough: the digits are in the chat. Five wrong guesses spend it.',
    },
    usual: { outcome: 'let in', status: 200, why: 'The link is enough for anybody who has it.' },
    prepare: link,
    play: (side, { url, code }) => open(browserOf(side), { url, code: otherThan(code) }),
  }),
  row({
    id: 'person-second',
    kind: 'attack',
    title: 'Second browser',
    story: 'The person has opened the link. It is opened again in another browser.',
    ours: { outcome: 'refused', status: 401, reason: 'spent', why: 'A link opens one session, in one browser.' },
    usual: { outcome: 'let in', status: 200, why: 'The seal opens as often as one likes, until it expires.' },
    prepare: link,
    play: async (side, it) => {
      await drained(open(browserOf(side), it))
      return open(browserOf(side), it)
    },
  }),
  row({
    id: 'person-history',
    kind: 'attack',
    title: 'From the history',
    story: 'The person signed out of a shared computer. The next one finds the link in the history.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'spent',
      why: 'Signing out ended the session, and the link is spent.',
    },
    usual: { outcome: 'let in', status: 200, why: 'Signing out cleared a cookie. The link makes another one.' },
    prepare: link,
    play: async (side, it) => {
      const browser = browserOf(side)
      await drained(open(browser, it))
      await signOut(browser, it)
      return open(browser, it)
    },
  }),
  row({
    id: 'person-copied',
    kind: 'attack',
    title: 'Copied cookie',
    story: 'Somebody copied the cookie of the session. Then the person signed out.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'revoked',
      why: 'The session ended on the server, in every browser.',
    },
    usual: { outcome: 'let in', status: 200, why: 'The cookie is the session. A copy outlives signing out.' },
    prepare: link,
    play: async (side, it) => {
      const [browser, thief] = [browserOf(side), browserOf(side)]
      await drained(open(browser, it))
      for (const [name, value] of browser.cookies) thief.cookies.set(name, value)
      await signOut(browser, it)
      return thief.open(new URL(SETTINGS_PATH, it.url))
    },
  }),
  row({
    id: 'person-tampered',
    kind: 'attack',
    title: 'Tampered link',
    story: 'The middle of the link is another one.',
    ours: { outcome: 'refused', status: 401, reason: 'unknown', why: 'There is no such link.' },
    usual: { outcome: 'refused', status: 401, why: 'The seal is broken.' },
    prepare: link,
    play: (side, { url, code }) => {
      const parameters = new URL(url).searchParams
      for (const [name, value] of parameters) parameters.set(name, flip(value))
      return open(browserOf(side), { url: `${url.split('?')[0]}?${parameters}`, code })
    },
  }),
]

/** The text with the character in its middle changed. */
function flip(text: string): string {
  const middle = Math.floor(text.length / 2)
  return `${text.slice(0, middle)}${text[middle] === 'A' ? 'B' : 'A'}${text.slice(middle + 1)}`
}
