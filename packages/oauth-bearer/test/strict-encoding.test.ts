import { sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { exportPKCS8 } from 'jose'
import { cpuMsSince } from '../../../test/support/cpu-time.js'
import { encode, forge, parts } from './forge.js'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { wire } from './wire.js'

let app: Harness
let pem: string
beforeAll(async () => {
  app = await oauthApp()
  pem = await exportPKCS8(app.key.privateKey)
})
afterAll(() => app.stop())

/** Signed by the issuer, byte for byte as given: only the form is wrong. */
function signRaw(header: string | Buffer, payload: string | Buffer): string {
  const input = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), pem).toString('base64url')}`
}

const asText = (value: object, extra: string) => JSON.stringify(value).replace(/}$/, `,${extra}}`)

describe('signed tokens with more than one reading', () => {
  test('a token that is signed in this way is good if its form is', async () => {
    const { header, claims } = parts(await app.token())
    expect((await app.get(signRaw(JSON.stringify(header), JSON.stringify(claims)))).status).toBe(200)
  })

  test.each([
    ['sub', '"sub":"admin"'],
    ['sub, escaped', '"\\u0073ub":"admin"'],
    ['aud', '"aud":"https://mcp.example.com/mcp"'],
    ['exp', '"exp":9999999999'],
    ['a member deep inside', '"a":{"b":[{"c":1,"c":2}]}'],
    ['__proto__', '"__proto__":1,"__proto__":{"sub":"admin"}'],
    ['a member whose value has colons', '"x":"a:b\\":","x":"c:d"'],
  ])('[oauth-strict-encoding] a payload with %s twice is refused', async (_name, extra) => {
    const { header, claims } = parts(await app.token())
    expect((await app.get(signRaw(JSON.stringify(header), asText(claims, extra)))).status).toBe(401)
  })

  test.each([
    ['kid', '"kid":"k1"'],
    ['alg', '"alg":"none"'],
    ['typ', '"typ":"JWT"'],
  ])('[oauth-strict-encoding] a header with %s twice is refused', async (_name, extra) => {
    const { header, claims } = parts(await app.token())
    expect((await app.get(signRaw(asText(header, extra), JSON.stringify(claims)))).status).toBe(401)
  })

  test('[oauth-strict-encoding] bytes that are not UTF-8, and a byte order mark, are refused', async () => {
    const { header, claims } = parts(await app.token())
    const text = JSON.stringify({ ...claims, note: 'x' })
    const broken = Buffer.from(text)
    broken[broken.lastIndexOf('x')] = 0xff
    const surrogate = Buffer.concat([
      Buffer.from(text.slice(0, -3)),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('"}'),
    ])
    const overlong = Buffer.concat([Buffer.from(text.slice(0, -3)), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])
    for (const payload of [
      broken,
      surrogate,
      overlong,
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
    ]) {
      expect((await app.get(signRaw(JSON.stringify(header), payload))).status).toBe(401)
    }
  })

  test.each(['[]', 'null', '1', '"iss"', '', '{', '{"iss":', '{"a":1}{"b":2}', '{a:1}', "{'a':1}", '{"a":01}', '[{}]'])(
    '[oauth-strict-encoding] a payload of %j is refused',
    async (payload) => {
      const { header } = parts(await app.token())
      expect((await app.get(signRaw(JSON.stringify(header), payload))).status).toBe(401)
    },
  )

  test('[oauth-strict-encoding] base64url that is not canonical is refused, although it decodes to the same bytes', async () => {
    const token = await app.token()
    const [header = '', payload = '', signature = ''] = token.split('.')
    const respelt = (part: string) => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const last = alphabet.indexOf(part.at(-1) ?? '')
      // The lowest bit of the last character is used by none of the bytes, unless the length is a multiple of 4.
      return `${part.slice(0, -1)}${alphabet[last ^ 1]}`
    }
    const unpadded = (part: string) => part.length % 4 !== 0
    expect(unpadded(signature)).toBe(true)
    const spellings = [
      `${header}.${payload}.${respelt(signature)}`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature}==`,
      ...(unpadded(payload) ? [`${header}.${respelt(payload)}.${signature}`] : []),
      ...(unpadded(header) ? [`${respelt(header)}.${payload}.${signature}`] : []),
      `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`,
      `${header}.${payload}.${signature}A`,
      `${header}.${payload}.${signature}.`,
      `.${header}.${payload}.${signature}`,
    ].filter((spelling) => spelling !== token)
    for (const spelling of spellings) {
      expect([spelling.length, (await app.get(spelling)).status]).toEqual([spelling.length, 401])
    }
    expect((await app.get(token)).status).toBe(200)
  })

  test.each(['Bearer a b', 'Bearer a,b', 'Bearer "a"', 'Bearer =a', 'Bearer', 'Bearer ', 'Bearer a\tb', 'Bearer é'])(
    'a token that is not a token68 is 400 invalid_request: %j',
    async (authorization) => {
      const { status, text, headers } = await wire(app.port, {
        headers: { authorization: Buffer.from(authorization).toString('latin1') },
      })
      expect([status, app.last(), JSON.parse(text).error]).toEqual([400, 'malformed', 'invalid_request'])
      expect(headers['www-authenticate']).toContain('error="invalid_request"')
    },
  )
})

describe('bounded parsing', () => {
  /** ms of CPU that each decision took; none of these waits for anything, and other processes' work does not count. */
  const costs: number[] = []
  const measured: HarnessOptions = {
    routes: (routes, gate) =>
      routes.use((request, response, next) => {
        const before = process.cpuUsage()
        gate(request, response, next)
        costs.push(cpuMsSince(before))
      }),
  }

  /** The least of several, for the first ones have the engine compile, too. */
  async function costOf(live: Harness, token: string) {
    costs.length = 0
    for (let round = 0; round < 15; round += 1) expect((await live.get(token)).status).toBe(401)
    expect(costs).toHaveLength(15)
    return Math.min(...costs)
  }

  test('[oauth-bounded-parsing] 8 KiB are parsed, 8 KiB and one byte are 400', async () => {
    expect((await app.get('a'.repeat(8192))).status).toBe(401)
    const { status, text } = await wire(app.port, { headers: { authorization: `Bearer ${'a'.repeat(8193)}` } })
    expect([status, JSON.parse(text).error, app.last()]).toEqual([400, 'invalid_request', 'malformed'])
  })

  test('[oauth-bounded-parsing] many dots and deep JSON cost less than 5 ms', async () => {
    const live = await oauthApp(measured)
    try {
      expect(await costOf(live, '.'.repeat(8000))).toBeLessThan(5)
      const { header } = parts(await app.token())
      // Of nobody's issuer: what is measured is reading it, not the verification of a signature.
      const deep = `{"iss":"https://elsewhere.example.com","a":${'['.repeat(2700)}${']'.repeat(2700)}}`
      expect(await costOf(live, forge(header, deep))).toBeLessThan(5)
      const wide = `{${Array.from({ length: 400 }, (_, i) => `"k${i}":{}`).join(',')}}`
      expect(await costOf(live, `${encode(header)}.${encode(wide)}.${encode('s')}`)).toBeLessThan(5)
    } finally {
      await live.stop()
    }
  })

  test('[oauth-bounded-parsing] 100 000 dots are refused for their length', async () => {
    const { requireOAuthBearer } = await import('@countersign/oauth-bearer')
    const { createServer } = await import('node:http')
    const { default: express } = await import('express')
    const guarded = express().use(requireOAuthBearer({ resource: 'https://a.example.com', issuer: app.issuer.url }))
    const server = createServer({ maxHeaderSize: 1_000_000 }, guarded).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { status } = await wire(port, { headers: { authorization: `Bearer ${'.'.repeat(100_000)}` } })
    expect(status).toBe(400)
    server.close()
  })
})
