import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { type ClientRequest, createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Audit, createAudit, UnavailableError } from '@countersign/core'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { root } from '../structure/workspace.js'

let folder: string
let createConsole: (options: object) => RequestHandler
let server: Server | undefined
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-console-'))
  cpSync(join(root, 'docs/examples/console'), join(folder, 'console'), { recursive: true })
  symlinkSync(join(root, 'test/node_modules'), join(folder, 'node_modules'))
  ;({ createConsole } = await import(join(folder, 'console/console.js')))
})
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PATHS = ['', '/events', '/old-keys', '/sessions', '/credentials', '/health']
const ana = () => 'ops:ana'

async function serve(app: Express): Promise<string> {
  server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A client that reads nothing until it is told to. */
async function opened(request: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  return answer.pause()
}

const decide = (audit: Audit, gate: string) => audit.emit({ type: 'access.denied', gate, reason: 'missing' } as never)

/** Reads a stream until this is in it. */
async function readUntil(answer: IncomingMessage, text: string): Promise<void> {
  let read = ''
  for await (const chunk of answer) {
    read += String(chunk)
    if (read.includes(text)) return
  }
}

test('without the name of an operator nothing is shown, neither a page nor the events', async () => {
  for (const nobody of [undefined, '', Promise.resolve('ops:ana')]) {
    const app = express().use('/console', createConsole({ operator: () => nobody, audit: createAudit() }))
    const origin = await serve(app)
    for (const path of PATHS) expect([path, (await fetch(`${origin}/console${path}`)).status]).toEqual([path, 403])
    expect((await fetch(`${origin}/console/sessions/revoke`, { method: 'POST' })).status).toBe(403)
    server?.closeAllConnections()
    server?.close()
  }
  expect(() => createConsole({})).toThrow(/"operator" must be a function/)
  expect(() => createConsole({ operator: ana, key: 'short' })).toThrow(/"key" must have at least 32 bytes/)
})

test('a browser that goes away while the gate is asked keeps no place among the streams', async () => {
  let asked = 0
  let gone = 0
  let answer = (): void => undefined
  const isAnswered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const gate: RequestHandler = (_request, response, next) => {
    asked += 1
    response.on('close', () => {
      gone += 1
    })
    void isAnswered.then(() => next())
  }
  const origin = await serve(express().use('/console', gate, createConsole({ operator: ana, audit: createAudit() })))
  const requests = Array.from({ length: 100 }, () => get(`${origin}/console/events`).on('error', () => undefined))
  while (asked < 100) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const request of requests) request.destroy()
  while (gone < 100) await new Promise((resolve) => setTimeout(resolve, 5))
  answer()
  await isAnswered
  const one = await opened(get(`${origin}/console/events`))
  expect(one.statusCode).toBe(200)
  one.destroy()
})

test('nothing is written to a stream that was ended before its browser read it', async () => {
  const audit = createAudit()
  const errors: Error[] = []
  const end: RequestHandler = (request, response, next) => {
    response.on('error', (error) => errors.push(error))
    next()
    if (request.query.end === undefined) return
    response.write('x'.repeat(2 ** 25))
    response.end()
  }
  const origin = await serve(express().use('/console', end, createConsole({ operator: ana, audit })))
  const ended = await opened(get(`${origin}/console/events?end`))
  const other = await opened(get(`${origin}/console/events`))
  decide(audit, 'one')
  await readUntil(other, 'one')
  ended.destroy()
  expect(errors).toEqual([])
})

test('the sessions of a whole id are found also when others have that id in theirs', async () => {
  const audit = createAudit()
  const settings = createSettingsSessions({ baseUrl: 'http://localhost/settings', audit })
  const app = express()
  app.use('/settings', settings.routes(), requireSettingsSession({ settings, audit }), (_request, response) => {
    response.end()
  })
  const before = settings.issueLink({ platform: 'slack', userId: 'U1' })
  const open = async (origin: string, issued: typeof before) => {
    let link = ''
    await settings.deliver(await issued, (url) => {
      link = url.reveal('deliver-to-user').replace('http://localhost', origin)
    })
    const browser = new TestBrowser(origin)
    const headers = { origin: 'http://localhost' }
    const { action, fields } = await browser.form(await browser.open(link))
    await browser.post(action, fields, headers)
  }
  let mounted: RequestHandler = (_request, _response, next) => next()
  app.use('/console', (request, response, next) => mounted(request, response, next))
  const origin = await serve(app)
  await open(origin, before)
  // A console that starts now has not seen U1.
  mounted = createConsole({ operator: ana, audit, settings })
  await open(origin, settings.issueLink({ platform: 'slack', userId: 'U12' }))
  await audit.flush()
  const page = await (await fetch(`${origin}/console/sessions?text=slack:U1`)).text()
  expect(Array.from(page.matchAll(/<b class="id">([^<]+)<\/b>/g), ([, id]) => id)).toEqual(['slack:U1', 'slack:U12'])
})

test('the health page is there while the store of secrets cannot be asked', async () => {
  const secrets = { list: () => Promise.reject(new UnavailableError('secrets', 'the store does not answer')) }
  const audit = createAudit()
  const origin = await serve(express().use('/console', createConsole({ operator: ana, audit, secrets })))
  const answer = await fetch(`${origin}/console/health`)
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('cannot be asked now')])
})
