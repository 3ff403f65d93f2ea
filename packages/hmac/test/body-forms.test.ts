import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import multer from 'multer'
import { type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

/** What the handler got, as hex, behind the gate. */
const echo: RequestHandler = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  response.end(Buffer.concat(chunks).toString('hex'))
}

describe.each(formats)('a body signed in %s', (_name, format) => {
  const signBody = (body: Uint8Array, headers: Record<string, string> = {}, method = 'POST') => {
    app.clock.advance(1000)
    return { ...headers, ...signed({ method, body, headers, format, version: 3, now: app.clock.now() }) }
  }

  test.each([
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
    ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x00])],
    ['every byte', Buffer.from(Array.from({ length: 256 }, (_, index) => index))],
  ])('[hmac-not-text] with %s comes through as it is, and not without it', async (_what, body) => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const answer = await send(app.port, 'POST', '/jobs?a=1', signBody(body), body)
    expect([answer.status, answer.text]).toEqual([200, body.toString('hex')])
    const asText = Buffer.from(body.toString('utf8').replace('\ufeff', ''), 'utf8')
    expect((await send(app.port, 'POST', '/jobs?a=1', signBody(body), asText)).status).toBe(401)
  })

  test('[hmac-get-body] binds a GET to its body', async () => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const body = Buffer.from('{"q":1}')
    const answer = await send(app.port, 'GET', '/jobs?a=1', signBody(body, {}, 'GET'), body)
    expect([answer.status, answer.text]).toEqual([200, body.toString('hex')])
    const other = Buffer.from('{"q":2}')
    expect((await send(app.port, 'GET', '/jobs?a=1', signBody(body, {}, 'GET'), other)).status).toBe(401)
    expect((await send(app.port, 'GET', '/jobs?a=1', signBody(body, {}, 'GET'))).status).toBe(401)
    expect((await send(app.port, 'GET', '/jobs?a=1', signBody(Buffer.alloc(0), {}, 'GET'), body)).status).toBe(401)
  })

  test('[hmac-empty-chunked] that is empty is one and the same, with no body, with length 0 and chunked', async () => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const none = Buffer.alloc(0)
    const statuses = [
      (await send(app.port, 'POST', '/jobs?a=1', signBody(none))).status,
      (await send(app.port, 'POST', '/jobs?a=1', signBody(none), none)).status,
      (await send(app.port, 'POST', '/jobs?a=1', { ...signBody(none), 'transfer-encoding': 'chunked' }, none)).status,
      (
        await send(
          app.port,
          'POST',
          '/jobs?a=1',
          { ...signBody(none), 'transfer-encoding': 'chunked' },
          Buffer.from('x'),
        )
      ).status,
    ]
    expect(statuses).toEqual([200, 200, 200, 401])
  })

  test('[hmac-chunked] in many chunks, slowly, comes through whole', async () => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const chunks = Array.from({ length: 12 }, (_, index) => Buffer.alloc(index * 700, index))
    const body = Buffer.concat(chunks)
    const request = httpRequest({
      ...{ host: '127.0.0.1', port: app.port, method: 'POST', path: '/jobs?a=1' },
      headers: { ...signBody(body), 'transfer-encoding': 'chunked' },
    })
    for (const chunk of chunks) {
      if (chunk.length > 0) request.write(chunk)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect(response.statusCode).toBe(200)
    expect(text === body.toString('hex')).toBe(true)
  })

  test('[hmac-expect] that waits for 100 Continue is asked for, and verified', async () => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const attempt = async (sent: string) => {
      const headers = { ...signBody(Buffer.from('hello')), expect: '100-continue', 'content-length': '5' }
      const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST', path: '/jobs?a=1', headers })
      request.flushHeaders()
      await once(request, 'continue')
      request.end(sent)
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    expect([await attempt('hello'), await attempt('jello')]).toEqual([200, 401])
  })

  test('[hmac-expect] is not asked for by a server that leaves that to the app, when the request is refused', async () => {
    app = await hmacApp({ formats: [format], maxBodyBytes: 3, after: [echo] })
    app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
    const socket = connect(app.port, '127.0.0.1')
    const headers = Object.entries(signBody(Buffer.from('hello'))).map(([name, value]) => `${name}: ${value}\r\n`)
    const head = `POST /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${headers.join('')}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`
    socket.write(head)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 413 /)
    socket.destroy()
  })

  test('[hmac-gzip] is bound in its compressed form', async () => {
    app = await hmacApp({ formats: [format], after: [express.json()] })
    const body = gzipSync('{"a":1}')
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const answer = await send(app.port, 'POST', '/jobs?a=1', signBody(body, headers), body)
    expect(JSON.parse(answer.text).body).toEqual({ a: 1 })
    const again = gzipSync('{"a":1}', { level: 1 })
    const changed = again.equals(body) ? gzipSync('{"a": 1}') : again
    expect((await send(app.port, 'POST', '/jobs?a=1', signBody(body, headers), changed)).status).toBe(401)
  })

  test('[hmac-multipart] of files goes through multer unharmed', async () => {
    const upload = multer({ storage: multer.memoryStorage() }).array('file') as RequestHandler
    const report: RequestHandler = (request, response) => {
      const files = request.files as Express.Multer.File[]
      response.json({
        body: request.body,
        files: files.map(({ originalname, buffer }) => [originalname, buffer.toString('hex')]),
      })
    }
    app = await hmacApp({ formats: [format], after: [upload, report] })
    const part = (head: string, content: Buffer) => [
      Buffer.from(`--b\r\n${head}\r\n\r\n`),
      content,
      Buffer.from('\r\n'),
    ]
    const binary = Buffer.from([0, 13, 10, 255, 45, 45])
    const body = Buffer.concat([
      ...part('Content-Disposition: form-data; name="a"', Buffer.from('1')),
      ...part('Content-Disposition: form-data; name="file"; filename="x.bin"', binary),
      Buffer.from('--b--\r\n'),
    ])
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const answer = await send(app.port, 'POST', '/jobs?a=1', signBody(body, headers), body)
    expect(JSON.parse(answer.text)).toEqual({ body: { a: '1' }, files: [['x.bin', binary.toString('hex')]] })
    const tampered = Buffer.from(body.toString('latin1').replace('x.bin', 'y.bin'), 'latin1')
    expect((await send(app.port, 'POST', '/jobs?a=1', signBody(body, headers), tampered)).status).toBe(401)
  })

  test('[hmac-abort] that ends before its length is one event, and the server keeps serving', async () => {
    app = await hmacApp({ formats: [format], after: [echo] })
    const headers = Object.entries(signBody(Buffer.from('hello'))).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(app.port, '127.0.0.1')
    socket.write(`POST /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${headers.join('')}Content-Length: 5\r\n\r\nhe`)
    await once(app.server, 'request')
    socket.destroy()
    while (app.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(app.events).toHaveLength(1)
    expect(app.events[0]).toMatchObject({ reason: 'malformed', attributes: { body: 'aborted', format: format.name } })
    const good = signBody(Buffer.from('hello'))
    expect((await send(app.port, 'POST', '/jobs?a=1', good, Buffer.from('hello'))).status).toBe(200)
  })
})

test('a pipeline to a file behind the gate gets every byte', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-hmac-'))
  const source = join(folder, 'source')
  const target = join(folder, 'target')
  const body = Buffer.alloc(900_000, 'abcdefghij')
  await writeFile(source, body)
  const { createWriteStream } = await import('node:fs')
  const save: RequestHandler = async (request, response) => {
    await pipeline(request, createWriteStream(target))
    response.end()
  }
  app = await hmacApp({ formats: [rfc9421()], after: [save] })
  const headers = {
    ...signed({ body, format: rfc9421(), version: 3, now: app.clock.now() }),
    'content-length': body.length,
  }
  const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST', path: '/jobs?a=1', headers })
  await Promise.all([pipeline(createReadStream(source, { highWaterMark: 10_000 }), request), once(request, 'response')])
  expect((await readFile(target)).equals(body)).toBe(true)
  await rm(folder, { recursive: true })
})

test('[hmac-oversize] an answer that takes its time is seen by a client that sends on meanwhile', async () => {
  app = await hmacApp({
    maxBodyBytes: 10,
    onDenied: ({ respond }) => new Promise((resolve) => setTimeout(() => resolve(respond()), 1500)),
  })
  const headers = { ...signed({ now: app.clock.now() }), 'transfer-encoding': 'chunked' }
  const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST', path: '/jobs?a=1', headers })
  request.on('error', () => undefined)
  const timer = setInterval(() => request.write(Buffer.alloc(32 * 1024)), 20)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  clearInterval(timer)
  expect(response.statusCode).toBe(413)
  request.destroy()
})
