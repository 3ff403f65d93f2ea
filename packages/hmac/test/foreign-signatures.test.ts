import { generateKeyPairSync } from 'node:crypto'
import { rfc9421, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createSigner, httpbis } from 'http-message-signatures'
import { AUDIENCE, type Harness, hmacApp, send, signed } from './harness.js'

const format = rfc9421()
const { privateKey } = generateKeyPairSync('ed25519')
const legacy = { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } }
const OLD_KEY = { 'x-service-key': 'old-key' }

let app: Harness
beforeAll(async () => {
  app = await hmacApp({ formats: [format, xHeaders()], legacy })
})
afterAll(() => app.close())

type Fields = Record<string, string>
interface Signature {
  readonly 'signature-input': string
  readonly signature: string
}

function ours(): Signature {
  app.clock.advance(1000)
  const fields = signed({ format, version: 3, now: app.clock.now() })
  return { ...rest(fields), 'signature-input': fields['Signature-Input'] ?? '', signature: fields.Signature ?? '' }
}

const rest = ({ 'Content-Digest': digest = '' }: Fields) => ({ 'content-digest': digest })

/** What a proxy adds, by a library that it could use: a signature of its own over ours (RFC 9421 §4.3). */
async function proxySignature(name = 'proxy', paramValues: Fields = { tag: 'proxy' }): Promise<Signature> {
  const request = { method: 'POST', url: `https://${AUDIENCE}/jobs?a=1`, headers: { forwarded: 'for=192.0.2.1' } }
  const { headers } = await httpbis.signMessage(
    {
      key: createSigner(privateKey, 'ed25519', 'proxy-key'),
      name,
      fields: ['@method', '@authority', 'forwarded'],
      params: ['created', 'keyid', ...Object.keys(paramValues)],
      paramValues,
    },
    request,
  )
  const fields = headers as Fields
  return { 'signature-input': fields['Signature-Input'] ?? '', signature: fields.Signature ?? '' }
}

const onOneLine = (a: Signature, b: Signature) => ({
  ...b,
  ...a,
  'signature-input': `${a['signature-input']}, ${b['signature-input']}`,
  signature: `${a.signature}, ${b.signature}`,
})
const onTwoLines = (a: Signature, b: Signature) => ({
  ...b,
  ...a,
  'signature-input': [a['signature-input'], b['signature-input']],
  signature: [a.signature, b.signature],
})

async function outcome(headers: Record<string, string | string[]>) {
  const { status } = await send(app.port, 'POST', '/jobs?a=1', headers)
  return [status, app.last()]
}

describe("a proxy's signature", () => {
  test.each([
    ['on our line, behind', onOneLine, false],
    ['on our line, in front', onOneLine, true],
    ['on a line of its own, behind', onTwoLines, false],
    ['on a line of its own, in front', onTwoLines, true],
  ])('beside ours does not disturb: %s', async (_where, join, isFirst) => {
    const [own, theirs] = [ours(), await proxySignature()]
    const headers = isFirst ? join(theirs, own) : join(own, theirs)
    expect(await outcome(headers)).toEqual([200, 'granted'])
    expect(await outcome(headers)).toEqual([401, 'replayed'])
  })

  test('without a tag, or two of them, does not disturb either', async () => {
    expect(await outcome(onTwoLines(ours(), await proxySignature('a', {})))).toEqual([200, 'granted'])
    const two = onOneLine(await proxySignature('a'), await proxySignature('b'))
    expect(await outcome(onTwoLines(ours(), two))).toEqual([200, 'granted'])
  })

  test('alone is no signature of ours: the old key decides, and where there is none, the request presents nothing', async () => {
    const theirs = { ...(await proxySignature()) }
    expect(await outcome({ ...theirs, ...OLD_KEY })).toEqual([200, 'granted'])
    expect(app.events.at(-1)?.attributes).toMatchObject({ format: 'legacy' })
    expect(await outcome(theirs)).toEqual([401, 'missing'])
    expect(app.events.at(-1)?.attributes).toEqual({ format: 'rfc9421', part: 'tag' })
    expect(await outcome({ 'signature-input': theirs['signature-input'], ...OLD_KEY })).toEqual([200, 'granted'])
  })

  test('does not compete with a signature in another format', async () => {
    const own = signed({ now: app.clock.now() })
    expect(await outcome({ ...own, ...(await proxySignature()) })).toEqual([200, 'granted'])
    expect(app.events.at(-1)?.attributes).toMatchObject({ format: 'xHeaders' })
    expect(await outcome({ ...own, ...ours() })).toEqual([400, 'ambiguous'])
  })

  test('under our label is refused: which of the two counts depends on the reader', async () => {
    const theirs = await proxySignature('sig1')
    expect(await outcome(onTwoLines(ours(), theirs))).toEqual([400, 'ambiguous'])
    expect(await outcome(onTwoLines(theirs, ours()))).toEqual([400, 'ambiguous'])
    expect(await outcome(onOneLine(ours(), theirs))).toEqual([401, 'malformed'])
  })
})

describe('refused, with the old key beside it, is', () => {
  test.each<[string, () => Promise<Record<string, string | string[]>>, number, string]>([
    ['our tag twice, on one line', async () => onOneLine(ours(), await withOurTag()), 401, 'malformed'],
    ['our tag twice, on two lines', async () => onTwoLines(ours(), await withOurTag()), 401, 'malformed'],
    ['our tag twice, ours behind', async () => onTwoLines(await withOurTag(), ours()), 401, 'malformed'],
    ['our tag in a signature of another kind', async () => ({ ...(await withOurTag()) }), 401, 'malformed'],
    ['a line beside ours that is no dictionary', async () => onTwoLines(ours(), NO_DICTIONARY), 400, 'ambiguous'],
    ['a line that is no dictionary', async () => ({ ...NO_DICTIONARY }), 401, 'malformed'],
    [
      'an empty line beside ours',
      async () => onTwoLines(ours(), { 'signature-input': '', signature: '' }),
      400,
      'ambiguous',
    ],
    [
      'a signature that has lost its input',
      async () => ({ signature: (await proxySignature()).signature }),
      401,
      'malformed',
    ],
    [
      'one beside ours that has lost its input',
      async () => ({ ...ours(), signature: [ours().signature, 'a=:AAAA:'] }),
      400,
      'ambiguous',
    ],
    [
      'one beside ours that has lost its signature',
      async () => onTwoLines(ours(), { 'signature-input': 'a=("@method")', signature: 'b=:AAAA:' }),
      400,
      'ambiguous',
    ],
  ])('%s', async (_what, headersOf, status, reason) => {
    expect(await outcome({ ...(await headersOf()), ...OLD_KEY })).toEqual([status, reason])
  })
})

const withOurTag = () => proxySignature('other', { tag: 'countersign', nonce: 'n' })
const NO_DICTIONARY: Signature = { 'signature-input': 'keyId="a",algorithm="b"', signature: 'keyId="a"' }
