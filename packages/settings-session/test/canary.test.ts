import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { AUDIT_CHANNEL } from '@countersign/core/gate-kit'
import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { TOKEN_ANYWHERE } from '../src/tokens.js'
import { settingsApp } from './harness.js'
import { startHostileProvider } from './support/hostile-provider.js'

const seen: string[] = []
const hear = (message: unknown) => void seen.push(inspect(message, { depth: 10, showHidden: true }))
const streams = [process.stdout, process.stderr] as const
const writes = streams.map((stream) => stream.write.bind(stream))

beforeAll(() => {
  subscribe(AUDIT_CHANNEL, hear)
  process.on('warning', hear)
  streams.forEach((stream, index) => {
    stream.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
      seen.push(String(chunk))
      return writes[index]?.(chunk as string, ...rest) ?? true
    }) as typeof stream.write
  })
})
afterAll(() => {
  unsubscribe(AUDIT_CHANNEL, hear)
  process.off('warning', hear)
  streams.forEach((stream, index) => {
    stream.write = writes[index] as typeof stream.write
  })
})

test('[settings-canary] no event, log, error, answer or Redis key of the whole flow holds a token, faults included', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  redis.on('error', hear)
  const provider = await startHostileProvider()
  const app = await settingsApp({
    store: redisSessions(redis, { commandTimeoutMs: 1200 }),
    oauth: provider.oauth,
    firstClaim: 'trust-link',
    realTime: true,
    gate: { onDenied: 'next' },
    before: (host) =>
      host.use((request, _response, next) => {
        // An access log as apps have it: the path, without the query.
        hear(`${request.method} ${request.path}`)
        next()
      }),
  })
  const answers: Response[] = []
  const keep = async (response: Response) => {
    answers.push(response.clone())
    return response
  }
  const person = app.browser()
  const link = await app.link()
  const { action, fields } = await person.form(await keep(await person.open(link)))
  await keep(await person.post(action, fields))
  const start = await person.send('/settings/oauth/start')
  await keep(await person.send(provider.answerTo(start.headers.get('location') as string)))
  await keep(await person.send('/settings'))
  await keep(await person.send(`/settings/api?s=${new URL(link).searchParams.get('s')}`))
  await keep(await app.browser().open(link))
  provider.claims = { sub: 'somebody-else' }
  const thief = app.browser()
  await thief.confirm(await app.link())
  const asked = await thief.send('/settings/oauth/start')
  await keep(await thief.send(provider.answerTo(asked.headers.get('location') as string)))
  seen.push(inspect(await app.settings.list({ platform: 'telegram', userId: 'u1' }), { depth: 10 }))
  const unopened = await app.link()
  const dump = await redis.keys('*')
  for (const key of dump) {
    const type = await redis.type(key)
    const value =
      type === 'hash'
        ? await redis.hgetall(key)
        : type === 'string'
          ? await redis.get(key)
          : await redis.zrange(key, '0', '-1')
    seen.push(key, JSON.stringify(value))
  }
  expect(dump.length).toBeGreaterThan(5)
  server.pause()
  await keep(await person.send('/settings'))
  await keep(await app.browser().send(unopened))
  seen.push(
    inspect(await app.settings.issueLink({ platform: 'x', userId: 'y' }).catch((error: Error) => error), { depth: 10 }),
  )
  server.resume()
  for (const answer of answers) {
    const headers = [...answer.headers].filter(([name]) => name !== 'set-cookie')
    seen.push(await answer.text(), JSON.stringify(headers))
  }
  expect(seen.length).toBeGreaterThan(40)
  expect(seen.filter((text) => TOKEN_ANYWHERE.test(text))).toEqual([])
  await Promise.all([app.close(), provider.close()])
  redis.disconnect()
  await server.stop()
}, 30_000)
