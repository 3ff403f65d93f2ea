import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { cpuMsSince } from '../../../test/support/cpu-time.js'
import { encode } from './forge.js'
import { type Harness, oauthApp } from './harness.js'

const KIDS = 10_000
const CONNECTIONS = 4
const BATCH = 100

let app: Harness
/** What the gate took for each request that it granted, in ms of CPU: the median is of one that waited for nothing. */
const times: number[] = []
beforeAll(async () => {
  const started = new WeakMap<object, NodeJS.CpuUsage>()
  const begin: RequestHandler = (request, _response, next) => {
    started.set(request, process.cpuUsage())
    next()
  }
  const end: RequestHandler = (request, response) => {
    times.push(cpuMsSince(started.get(request) as NodeJS.CpuUsage))
    response.end('in')
  }
  app = await oauthApp({ routes: (routes, gate) => routes.use(begin, gate, end) })
})
afterAll(() => app.stop())

const line = (token: string) => `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`

/** Sends requests one behind the other on one connection, and returns their statuses. */
async function pipeline(socket: Socket, tokens: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  let rest = ''
  const done = new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      rest += chunk.toString('latin1')
      const lines = rest.split('\r\n')
      rest = lines.pop() ?? ''
      // A body has no line end after it, so the next status line may follow right behind.
      for (const one of lines) for (const [, code] of one.matchAll(/HTTP\/1\.1 (\d{3}) /g)) statuses.push(Number(code))
      if (statuses.length === tokens.length) resolve()
    })
  })
  socket.write(tokens.map(line).join(''))
  await done
  socket.removeAllListeners('data').removeAllListeners('error')
  return statuses
}

describe('a flood of unknown kids', () => {
  test('[oauth-random-kids] 10 000 random kids cause at most two fetches, and a known kid stays 200', async () => {
    const good = await app.token()
    expect((await app.get(good)).status).toBe(200)
    expect(app.issuer.fetches()).toBe(1)
    times.length = 0
    const unseen = await Promise.all(Array.from({ length: KIDS / BATCH }, () => app.token()))
    const rest = good.split('.').slice(1).join('.')
    const flood = (index: number) =>
      `${encode({ alg: 'RS256', typ: 'at+jwt', kid: `random-${index}-${Math.random()}` })}.${rest}`
    const { port } = app.server.address() as AddressInfo
    const sockets = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = connect(port, '127.0.0.1')
        await once(socket, 'connect')
        return socket
      }),
    )
    const statuses = { 200: 0, 401: 0, 503: 0 } as Record<number, number>
    const startedAt = performance.now()
    for (let index = 0; index < KIDS; index += CONNECTIONS * BATCH) {
      // In the gate's time the flood takes one second, however slow the machine is.
      app.clock.advance((CONNECTIONS * BATCH * 1000) / KIDS)
      const answers = await Promise.all(
        sockets.map((socket, at) => {
          const kids = Array.from({ length: BATCH }, (_, i) => flood(index + at * BATCH + i))
          // The known client among them, one request in ten; and one with a token that was never seen.
          const known = Array<string>(BATCH / 10).fill(good)
          return pipeline(socket, [...kids, ...known, unseen.pop() ?? ''])
        }),
      )
      for (const status of answers.flat()) statuses[status] = (statuses[status] ?? 0) + 1
    }
    const seconds = (performance.now() - startedAt) / 1000
    for (const socket of sockets) socket.destroy()
    const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
    const fetches = app.issuer.fetches() - 1
    process.stdout.write(
      `${KIDS} unknown kids in 1 s of the gate's clock (${seconds.toFixed(1)} s): ${fetches} fetches, ` +
        `${JSON.stringify(statuses)}; a valid token: median ${median.toFixed(3)} ms\n`,
    )
    expect(fetches).toBeLessThanOrEqual(2)
    expect(statuses[200]).toBe(1100)
    expect((statuses[401] ?? 0) + (statuses[503] ?? 0)).toBe(KIDS)
    expect(median).toBeLessThan(5)
  }, 120_000)

  test('[oauth-random-kids] a token that cannot be judged meanwhile gets Retry-After, and is judged then', async () => {
    const rest = (await app.token()).split('.').slice(1).join('.')
    const stranger = `${encode({ alg: 'RS256', typ: 'at+jwt', kid: 'one-more' })}.${rest}`
    const { status, headers } = await app.get(stranger)
    expect(status).toBe(503)
    const seconds = Number(headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThanOrEqual(30)
    app.clock.advance(seconds * 1000)
    expect((await app.get(stranger)).status).toBe(401)
  })

  test('[oauth-random-kids] two minutes of random kids cause at most two fetches in any 30 s', async () => {
    // A gate of its own: the other one may not ask now.
    const flooded = await oauthApp()
    const good = await flooded.token()
    expect((await flooded.get(good)).status).toBe(200)
    const rest = good.split('.').slice(1).join('.')
    const stranger = () => `${encode({ alg: 'RS256', typ: 'at+jwt', kid: `random-${Math.random()}` })}.${rest}`
    const fetched: number[] = []
    for (let second = 0; second < 120; second += 1) {
      const before = flooded.issuer.fetches()
      for (let count = 0; count < 4; count += 1) expect([401, 503]).toContain((await flooded.get(stranger())).status)
      fetched.push(flooded.issuer.fetches() - before)
      flooded.clock.advance(1000)
    }
    await flooded.stop()
    const inWindow = (from: number, seconds: number) =>
      fetched.slice(from, from + seconds).reduce((sum, count) => sum + count, 0)
    expect(fetched[0]).toBe(2)
    expect(inWindow(0, 120)).toBe(8)
    for (let from = 0; from <= 90; from += 1) expect(inWindow(from, 30)).toBeLessThanOrEqual(2)
  })
})
