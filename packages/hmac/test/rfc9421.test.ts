import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { rfc9421 } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createSignatureSync, verifySignature } from 'http-message-sig'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import { signatureBase } from '../src/formats/rfc9421.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const format = rfc9421()
const JSON_TYPE = { 'content-type': 'application/json' }
const COVERED = ['@method', '@authority', '@path', '@query', 'content-digest', 'content-type']
const URL_SIGNED = `https://${AUDIENCE}/jobs?a=1`
const BODY = '{"a":1}'
const DIGEST = `sha-256=:${createHash('sha256').update(BODY).digest('base64')}:`

let app: Harness
beforeAll(async () => {
  app = await hmacApp({ formats: [format] })
})
afterAll(() => app.close())

function ours(): Record<string, string> {
  app.clock.advance(1000)
  const headers = signed({ format, version: 3, headers: JSON_TYPE, body: BODY, now: app.clock.now() })
  return { ...JSON_TYPE, ...headers }
}

function post(headers: Record<string, string | string[]>, target = '/jobs?a=1', body = BODY) {
  return send(app.port, 'POST', target, headers, Buffer.from(body))
}

function parameters(nonce: string) {
  const created = Math.floor(app.clock.now() / 1000)
  return { created, nonce, keyid: 'scheduler/3', alg: 'hmac-sha256', tag: 'countersign' }
}

test("[hmac-rfc-example] the base and the HMAC of the RFC's own example B.2.5 come out of our functions", () => {
  const components = ['date', '@authority', 'content-type']
  const values = new Map([
    ['date', 'Tue, 20 Apr 2021 02:07:55 GMT'],
    ['@authority', 'example.com'],
    ['content-type', 'application/json'],
  ])
  const params = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
  const base = signatureBase(components, params, (name) => values.get(name)) as string
  expect(base).toBe(
    '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@authority": example.com\n"content-type": application/json\n' +
      '"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
  )
  const secret = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=='
  const mac = createHmac('sha256', Buffer.from(secret, 'base64')).update(base).digest('base64')
  expect(mac).toBe('pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=')
})

describe('[hmac-interop] interoperates', () => {
  test('with http-message-sig, which signs', async () => {
    const fields = [
      { name: 'content-type', value: 'application/json' },
      { name: 'content-digest', value: DIGEST },
    ]
    const { signature, signatureInput } = createSignatureSync(
      { kind: 'request', method: 'POST', targetUri: URL_SIGNED, fields },
      {
        components: COVERED,
        parameters: parameters('theirs-1'),
        signer: {
          algorithm: 'hmac-sha256',
          sign: (data) => createHmac('sha256', SECRET).update(data).digest(),
        },
      },
    )
    const headers = { 'content-digest': DIGEST, signature, 'signature-input': signatureInput }
    expect((await post({ ...JSON_TYPE, ...headers })).status).toBe(200)
  })

  test('with http-message-sig, which verifies', async () => {
    const headers = ours()
    const verified = await verifySignature(
      {
        kind: 'request',
        method: 'POST',
        targetUri: URL_SIGNED,
        fields: Object.entries(headers).map(([name, value]) => ({ name, value })),
      },
      {
        policy: {
          algorithms: ['hmac-sha256'],
          requiredComponents: COVERED,
          requiredParameters: ['created', 'nonce', 'keyid', 'tag'],
          now: Math.floor(app.clock.now() / 1000),
        },
        resolveVerifier: () => ({
          algorithm: 'hmac-sha256',
          verify: (data, signature) =>
            timingSafeEqual(createHmac('sha256', SECRET).update(data).digest(), Buffer.from(signature)),
        }),
      },
    )
    expect(verified.parameters.keyid).toBe('scheduler/3')
  })

  test('with http-message-signatures, which signs', async () => {
    const { created, ...rest } = parameters('theirs-2')
    const request = {
      method: 'POST',
      url: URL_SIGNED,
      headers: { ...JSON_TYPE, 'content-digest': DIGEST } as Record<string, string>,
    }
    const signedRequest = await httpbis.signMessage(
      {
        key: createSigner(Buffer.from(SECRET), 'hmac-sha256', 'scheduler/3'),
        name: 'theirs',
        fields: COVERED,
        params: ['created', 'nonce', 'keyid', 'alg', 'tag'],
        paramValues: { ...rest, created: new Date(created * 1000) },
      },
      request,
    )
    expect((await post(signedRequest.headers as Record<string, string>)).status).toBe(200)
  })

  test('with http-message-signatures, which verifies', async () => {
    const headers = ours()
    const verifier = createVerifier(Buffer.from(SECRET), 'hmac-sha256')
    const isVerified = await httpbis.verifyMessage(
      {
        keyLookup: async () => ({ id: 'scheduler/3', algs: ['hmac-sha256'], verify: verifier }),
        notAfter: new Date(app.clock.now() + 1000),
        requiredFields: COVERED,
      },
      { method: 'POST', url: URL_SIGNED, headers },
    )
    expect(isVerified).toBe(true)
  })
})

describe('a signature by RFC 9421', () => {
  test('[hmac-twice] lets its own request through, once', async () => {
    const headers = ours()
    const first = await post(headers)
    const copy = await post(headers)
    expect([first.status, copy.status, app.last()]).toEqual([200, 401, 'replayed'])
    expect(JSON.parse(first.text).principal).toEqual({
      kind: 'hmac',
      id: 'scheduler',
      caller: 'scheduler',
      keyVersion: 3,
      format: 'rfc9421',
    })
  })

  test('asks for what it wants on a 401', async () => {
    const answer = await send(app.port, 'GET', '/jobs')
    expect(answer.headers['accept-signature']).toBe(
      'sig1=("@method" "@authority" "@path" "@query" "content-digest");created;alg="hmac-sha256";tag="countersign"',
    )
  })

  test('[hmac-garbled] a copy with another body is refused and does not burn the nonce', async () => {
    const headers = ours()
    expect((await post(headers, '/jobs?a=1', '{"a":2}')).status).toBe(401)
    expect(app.last()).toBe('digest_mismatch')
    expect((await post(headers)).status).toBe(200)
  })

  test.each(['/jobs?a=1&b=2', '/jobs', '/jobs?a=2', '//jobs?a=1', '/x/../jobs?a=1', '/%6aobs?a=1'])(
    'does not cover %s',
    async (target) => {
      expect((await post(ours(), target)).status).toBe(401)
      expect(app.last()).toBe('bad_signature')
    },
  )

  test.each<[string, (headers: Record<string, string>) => Record<string, string | string[]>, number, string]>([
    ['an empty Signature alone', () => ({ signature: '' }), 401, 'malformed'],
    ['no Signature', ({ Signature: _, ...rest }) => rest, 401, 'malformed'],
    ['another content type', (all) => ({ ...all, 'content-type': 'text/plain' }), 401, 'bad_signature'],
    ['a content encoding that is not covered', (all) => ({ ...all, 'content-encoding': 'gzip' }), 401, 'malformed'],
    ['a digest of an unknown algorithm', (all) => ({ ...all, 'Content-Digest': 'md5=:AAAA:' }), 401, 'malformed'],
    ['two Content-Digest fields', (all) => ({ ...all, 'Content-Digest': [DIGEST, DIGEST] }), 400, 'ambiguous'],
    ['two Signature fields', (all) => ({ ...all, Signature: [all.Signature ?? '', 'x=:AAAA:'] }), 400, 'ambiguous'],
    ['[hmac-alg-none] alg="none"', (all) => edit(all, 'alg="hmac-sha256"', 'alg="none"'), 401, 'malformed'],
    ['another version', (all) => edit(all, 'scheduler/3', 'scheduler/4'), 401, 'unknown_key_version'],
    ['the version 03', (all) => edit(all, 'scheduler/3', 'scheduler/03'), 401, 'malformed'],
    ['another caller', (all) => edit(all, 'scheduler/3', 'stranger/3'), 401, 'unknown_caller'],
    ['another nonce', (all) => edit(all, 'nonce="', 'nonce="x'), 401, 'bad_signature'],
    ['[hmac-parameters] a component with a parameter', (all) => edit(all, '"@path"', '"@path";req'), 401, 'malformed'],
    ['a component twice', (all) => edit(all, '"@path"', '"@path" "@path"'), 401, 'malformed'],
    ['a component left out', (all) => edit(all, '"@query" ', ''), 401, 'malformed'],
    [
      '[hmac-parameters] every parameter that RFC 9421 knows',
      (all) => edit(all, '"content-type"', '"content-type";sf'),
      401,
      'malformed',
    ],
    [
      '[hmac-parameters] a parameter that only names itself',
      (all) => edit(all, '"@query"', '"@query";name="a"'),
      401,
      'malformed',
    ],
    ['[hmac-alg-none] another alg', (all) => edit(all, 'alg="hmac-sha256"', 'alg="hmac-sha512"'), 401, 'malformed'],
    [
      '[hmac-alg-none] an alg that is a token',
      (all) => edit(all, 'alg="hmac-sha256"', 'alg=hmac-sha256'),
      401,
      'malformed',
    ],
    ['a tag of another application', (all) => edit(all, 'tag="countersign"', 'tag="other"'), 401, 'missing'],
    ['no tag', (all) => edit(all, ';tag="countersign"', ''), 401, 'missing'],
    ['no nonce', (all) => edit(all, /;nonce="[^"]*"/, ''), 401, 'malformed'],
    ['an empty nonce', (all) => edit(all, /;nonce="[^"]*"/, ';nonce=""'), 401, 'malformed'],
    ['no created', (all) => edit(all, /;created=\d+/, ''), 401, 'malformed'],
    ['a decimal created', (all) => edit(all, /(;created=\d+)/, '$1.0'), 401, 'malformed'],
    ['no keyid', (all) => edit(all, ';keyid="scheduler/3"', ''), 401, 'malformed'],
    ['a keyid of three parts', (all) => edit(all, 'scheduler/3', 'scheduler/3/4'), 401, 'malformed'],
    ['an unknown derived component', (all) => edit(all, '"@path"', '"@path" "@scheme"'), 401, 'malformed'],
    ['a covered field that is not sent', (all) => edit(all, '"@path"', '"@path" "x-absent"'), 401, 'malformed'],
    [
      'a covered field that only every object has',
      (all) => edit(all, '"@path"', '"@path" "constructor"'),
      401,
      'malformed',
    ],
    ['an upper-case component', (all) => edit(all, '"content-type"', '"Content-Type"'), 401, 'malformed'],
    [
      'a signature without a partner',
      (all) => ({ ...all, Signature: String(all.Signature).replace('sig1', 'sig2') }),
      401,
      'malformed',
    ],
    ['an unknown parameter', (all) => edit(all, ';alg', ';extra=1;alg'), 401, 'malformed'],
    ['a parameter twice', (all) => edit(all, ';alg', ';tag="countersign";alg'), 401, 'malformed'],
    ['[hmac-weak-extra] a weak signature appended', (all) => weak(all, false), 401, 'malformed'],
    ['[hmac-weak-extra] a weak signature prepended', (all) => weak(all, true), 401, 'malformed'],
  ])('%s is refused', async (_what, change, status, reason) => {
    expect((await post(change(ours()))).status).toBe(status)
    expect(app.last()).toBe(reason)
  })

  test('is found beside one of another application, which says nothing about it', async () => {
    const all = ours()
    const foreign = 'proxy=("@method");created=1;keyid="proxy-key";tag="proxy"'
    const headers = {
      ...all,
      'Signature-Input': `${foreign}, ${all['Signature-Input']}`,
      Signature: `proxy=:${Buffer.alloc(64).toString('base64')}:, ${all.Signature}`,
    }
    expect((await post(headers)).status).toBe(200)
  })

  test.each([
    ['sha-512 alone', true, (sha512: string) => sha512],
    ['sha-512 beside sha-256', true, (sha512: string) => `${DIGEST}, ${sha512}`],
    ['sha-256 beside an unknown one', true, () => `${DIGEST}, crc=:AAAA:`],
    ['an unknown one alone', false, () => 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:'],
    ['a sha-512 that is wrong beside a sha-256 that is right', false, () => `${DIGEST}, sha-512=:${'A'.repeat(86)}==:`],
  ])('with %s is let through: %s', async (_what, isGranted, digestOf) => {
    const digest = digestOf(`sha-512=:${createHash('sha512').update(BODY).digest('base64')}:`)
    const names = COVERED.map((name) => `"${name}"`).join(' ')
    const params = `(${names});created=${Math.floor(app.clock.now() / 1000)};nonce="${digest.length}";keyid="scheduler/3";tag="countersign"`
    const values = new Map([
      ['@method', 'POST'],
      ['@authority', AUDIENCE],
      ['@path', '/jobs'],
      ['@query', '?a=1'],
      ['content-digest', digest],
      ['content-type', 'application/json'],
    ])
    const base = signatureBase(COVERED, params, (name) => values.get(name)) as string
    const mac = createHmac('sha256', SECRET).update(base).digest('base64')
    const headers = {
      ...JSON_TYPE,
      'content-digest': digest,
      'signature-input': `sig1=${params}`,
      signature: `sig1=:${mac}:`,
    }
    expect((await post(headers)).status).toBe(isGranted ? 200 : 401)
    expect(app.last()).toMatch(isGranted ? /^granted$/ : /^(malformed|digest_mismatch)$/)
  })

  test.each([
    [300, 200],
    [301, 401],
    [-60, 200],
    [-61, 401],
  ])('at an age of %i s is answered %i', async (age, status) => {
    const now = app.clock.now() - age * 1000
    const headers = signed({ method: 'GET', target: '/poll', format, version: 3, now })
    expect((await send(app.port, 'GET', '/poll', headers)).status).toBe(status)
  })

  test('[hmac-order] a wrong MAC is refused before a byte of the body has come', async () => {
    const headers = { ...edit(ours(), 'nonce="', 'nonce="x'), 'content-length': '1000' }
    const socket = connect(app.port, '127.0.0.1')
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`POST /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${lines.join('')}\r\n`)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
  })
})

function edit(headers: Record<string, string>, from: string | RegExp, to: string): Record<string, string> {
  const input = headers['Signature-Input'] ?? ''
  expect(input.replace(from, to)).not.toBe(input)
  return { ...headers, 'Signature-Input': input.replace(from, to) }
}

/** A second signature with our tag, that covers next to nothing. */
function weak(headers: Record<string, string>, isFirst: boolean): Record<string, string> {
  const join = (a = '', b = '') => (isFirst ? `${b}, ${a}` : `${a}, ${b}`)
  const input = 'weak=("@method");created=1;nonce="n";keyid="scheduler/3";tag="countersign"'
  return {
    ...headers,
    'Signature-Input': join(headers['Signature-Input'], input),
    Signature: join(headers.Signature, `weak=:${Buffer.alloc(32).toString('base64')}:`),
  }
}
