import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type BodyResult, readBody } from '@countersign/core/body'
import { describe, expect, test } from '@jest/globals'
import { BodyDigests } from '../src/body-digests.js'

const hex = (algorithm: string, data: string) => createHash(algorithm).update(data).digest('hex')

/** `Promise.withResolvers`, which Node 20 lacks. */
function deferred<T>() {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}

/** Sends the pieces one by one, each when the gate's side has taken the one before. */
async function send(pieces: readonly string[]) {
  const digests = new BodyDigests(['sha256', 'sha512'])
  const taken: string[] = []
  let isTaken = deferred<void>()
  const body = deferred<BodyResult>()
  const server = createServer((request, response) => {
    const watch = {
      take(piece: Buffer) {
        taken.push(piece.toString())
        digests.take(piece)
        isTaken.resolve()
      },
    }
    Promise.resolve(readBody(request, 100, 'buffer', watch)).then(body.resolve, body.reject)
    response.flushHeaders()
    body.promise.then(() => response.end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = httpRequest({ port, host: '127.0.0.1', method: 'POST' })
  const answered = once(client, 'response')
  for (const piece of pieces.slice(0, -1)) {
    isTaken = deferred<void>()
    client.write(piece)
    await isTaken.promise
  }
  client.end(pieces.at(-1))
  const [answer] = await answered
  answer.resume()
  const read = (await body.promise) as Buffer
  server.close()
  return { read, taken, computed: digests.of(read).map((digest) => digest.toString('hex')) }
}

describe('the digests of a body', () => {
  test('take each piece of a body when it comes, before its end', async () => {
    const { read, taken, computed } = await send(['one, ', 'two, ', 'three'])
    expect(read.toString()).toBe('one, two, three')
    expect(taken.join('')).toBe('one, two, three')
    expect(taken.slice(0, 2)).toEqual(['one, ', 'two, '])
    expect(computed).toEqual([hex('sha256', 'one, two, three'), hex('sha512', 'one, two, three')])
  })

  test('are those of the whole body where it did not come in pieces', () => {
    const digests = new BodyDigests(['sha512', 'sha256']).of(Buffer.from('whole'))
    expect(digests.map((digest) => digest.toString('hex'))).toEqual([hex('sha512', 'whole'), hex('sha256', 'whole')])
  })
  test('of one that came in pieces are theirs: it is not hashed again at its end', () => {
    const digests = new BodyDigests(['sha256', 'sha512'])
    for (const piece of ['in ', 'pieces']) digests.take(Buffer.from(piece))
    const computed = digests.of(Buffer.from('never looked at')).map((digest) => digest.toString('hex'))
    expect(computed).toEqual([hex('sha256', 'in pieces'), hex('sha512', 'in pieces')])
  })
})
