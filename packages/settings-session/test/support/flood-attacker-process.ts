// One Telegram user and the holder of one link, who do what they can, as a process of its own. Prints what was answered, by
// status, whenever it is asked, and ends with its parent.
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { formTokenOf, mintOpenCookie, parseOpenCookie } from '../../src/links/open-cookie.js'
import { parseToken } from '../../src/tokens.js'
import { signedData } from './signed-data.js'

const [url = '', link = ''] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const answers: Record<string, number> = {}

function post(path: string, type: string, body: string, cookie?: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': type,
      origin: url,
      'sec-fetch-site': 'same-origin',
      ...(cookie === undefined ? {} : { cookie }),
    }
    const sent = request(`${url}${path}`, { method: 'POST', agent, headers }, (response) => {
      const name = `${path} ${response.statusCode}`
      answers[name] = (answers[name] ?? 0) + 1
      response.resume().on('end', () => resolve(response.headers['set-cookie'] ?? []))
    })
    sent.on('error', reject).end(body)
  })
}

/** The link again and again, each time from another browser. */
async function openLink(): Promise<void> {
  const token = parseToken('l', new URL(link).searchParams.get('s'))
  for (;;) {
    const cookie = mintOpenCookie(token as NonNullable<typeof token>)
    const form = new URLSearchParams({ token: formTokenOf(parseOpenCookie(cookie) as never) }).toString()
    await post('/open/open', 'application/x-www-form-urlencoded', form, `__Host-open-open=${cookie}`)
  }
}

const json = (data: string) => ['application/json', JSON.stringify({ initData: data })] as const

/** The same data: from one browser, which comes without its session. */
async function repeatData(): Promise<void> {
  const data = signedData(1, 'repeated')
  const [first] = await post('/plain/telegram', ...json(data))
  for (;;) await post('/plain/telegram', ...json(data), first?.split(';', 1)[0])
}

/** Other data each time, as when the page is opened again and again. */
async function openAgain(): Promise<void> {
  for (;;) await post('/plain/telegram', ...json(signedData(2, randomBytes(9).toString('base64url'))))
}

process.on('message', () => process.send?.(answers))
process.on('disconnect', () => process.exit())
console.log(0)
await Promise.all([openLink, openLink, openLink, repeatData, openAgain, openAgain, openAgain].map((attack) => attack()))
