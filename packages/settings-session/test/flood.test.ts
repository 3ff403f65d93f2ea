import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { type ChildApp, startChildApp } from '../../../test/support/child-app.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { isLong } from '../../../test/support/run-length.js'
import { TestBrowser } from './browser.js'
import { signedData } from './support/signed-data.js'

const FLOOD_MS = isLong ? 5 * 60_000 : 5_000
const PEOPLE = isLong ? 1500 : 60
/** Enough for the people, and soon full when an attacker makes a record with each request. */
const MAX_ENTRIES = 5 * PEOPLE + 100

const file = (name: string) => fileURLToPath(new URL(`./support/${name}.ts`, import.meta.url))

/** Somebody else opens a link and a Mini App, uses both sessions, and signs out. The statuses of all answers. */
async function person(url: string, index: number): Promise<string> {
  const link = await (await fetch(`${url}/link/plain/person${index}`)).text()
  const [one, two] = [new TestBrowser(url), new TestBrowser(url)]
  const answers = [await one.confirm(link), await one.send('/plain/')]
  const headers = { origin: url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
  const body = JSON.stringify({ initData: signedData(1000 + index, 'person') })
  answers.push(await two.send('/plain/telegram', { method: 'POST', headers, body }), await two.send('/plain/'))
  answers.push(await one.post('/plain/logout'))
  await Promise.all(answers.map((answer) => answer.arrayBuffer()))
  return answers.map(({ status }) => status).join(' ')
}

interface Sample {
  readonly heap: number
  readonly records: number
}

async function flood(app: ChildApp, countRecords: () => Promise<number>) {
  const link = await (await fetch(`${app.url}/link/open/victim`)).text()
  const attacker = await startChildApp(file('flood-attacker-process'), {}, [app.url, link])
  const seen: Record<string, number> = {}
  const samples: Sample[] = []
  try {
    const began = Date.now()
    for (let index = 0; index < PEOPLE; index += 1) {
      const due = began + (FLOOD_MS * index) / PEOPLE
      if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()))
      const statuses = await person(app.url, index)
      seen[statuses] = (seen[statuses] ?? 0) + 1
      if (index % Math.ceil(PEOPLE / 20) !== 0) continue
      samples.push({ heap: Number(await (await fetch(`${app.url}/heap`)).text()), records: await countRecords() })
    }
    const answer = once(attacker.process, 'message')
    attacker.process.send('answers')
    const [answers] = (await answer) as [Record<string, number>]
    return { seen, samples, answers }
  } finally {
    await attacker.stop()
  }
}

const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number

function judge({ seen, samples, answers }: Awaited<ReturnType<typeof flood>>, recordsOfOne: number): void {
  if (isLong)
    console.log(JSON.stringify({ seen, answers, heap: samples.map(({ heap }) => Math.round(heap / 1e5) / 10) }))
  expect(seen).toEqual({ '303 200 200 200 200': PEOPLE })
  // Twenty openings of the link, and two users who may try sixty times.
  expect(answers['/open/open 200']).toBe(20)
  expect(answers['/plain/telegram 200']).toBeLessThanOrEqual(120)
  expect(answers['/open/open 429']).toBeGreaterThan(0)
  expect(answers['/plain/telegram 429']).toBeGreaterThan(0)
  expect(Object.keys(answers).filter((name) => name.endsWith(' 503'))).toEqual([])
  const [early, late] = [samples.slice(2, 7), samples.slice(-5)]
  const people = (PEOPLE * 13) / 20
  expect(middle(late.map(({ records }) => records)) - middle(early.map(({ records }) => records))).toBeLessThanOrEqual(
    people * recordsOfOne,
  )
  // What the people leave is a few KB for each; the rest is the noise of a heap.
  const grown = middle(late.map(({ heap }) => heap)) - middle(early.map(({ heap }) => heap))
  expect(grown).toBeLessThan(4e6 + people * 6000)
}

test(
  'a flood by one Telegram user and the holder of one link leaves others as they were, in memory',
  async () => {
    const app = await startChildApp(file('flood-app-process'), { MAX_ENTRIES: String(MAX_ENTRIES) })
    try {
      judge(await flood(app, async () => 0), 0)
    } finally {
      await app.stop()
    }
  },
  FLOOD_MS * 10 + 120_000,
)

test(
  'and in Redis',
  async () => {
    const server = await RedisServer.start()
    const redis = new Redis(server.url)
    let app: ChildApp | undefined
    try {
      app = await startChildApp(file('flood-app-process'), { REDIS_URL: server.url })
      // The answers of changes, which are kept for a minute, not counted.
      const count = async () => (await redis.keys('*')).filter((key) => !/:a:[\w-]{16}$/.test(key)).length
      judge(await flood(app, count), 12)
    } finally {
      await app?.stop()
      redis.disconnect()
      await server.stop()
    }
  },
  FLOOD_MS * 10 + 120_000,
)
