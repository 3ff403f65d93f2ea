import { rfc9421 } from '@countersign/hmac'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createVerifier, httpbis } from 'http-message-signatures'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const format = rfc9421()
const URL_SIGNED = `https://${AUDIENCE}/jobs?a=1`

let app: Harness
beforeAll(async () => {
  app = await hmacApp({ formats: [format] })
})
afterAll(() => app.close())

function ours(): Record<string, string> {
  app.clock.advance(1000)
  return signed({ format, version: 3, now: app.clock.now() })
}

const post = (headers: Record<string, string>) => send(app.port, 'POST', '/jobs?a=1', headers)

test.each<[string, (input: string) => string]>([
  ['a space behind each semicolon', (input) => input.replaceAll(';', '; ')],
  ['spaces within the brackets', (input) => input.replace('("', '(  "').replace('")', '" )').replace('" "', '"   "')],
  ['zeros in front of a number', (input) => input.replace('created=', 'created=000')],
  ['white space around it', (input) => `${input} \t`],
  ['a comma without spaces behind it', (input) => `${input},a=("@method";req);created=1`],
  ['a comma with white space around it', (input) => `${input} \t, \ta=tok;b=1.5;c=?0;d=@1;e=%"f%c3%bc"`],
])(
  '[hmac-interop] a signature in another legal spelling is let through, as by http-message-signatures: %s',
  async (_what, spell) => {
    const all = ours()
    const input = spell(all['Signature-Input'] ?? '')
    const isPair = input.includes('a=')
    const signature = isPair ? `${all.Signature},a=:AAAA:` : String(all.Signature)
    const headers = { ...all, 'Signature-Input': input, Signature: signature }
    expect((await post(headers)).status).toBe(200)
    if (isPair) return
    const key = { id: 'scheduler/3', verify: createVerifier(Buffer.from(SECRET), 'hmac-sha256') }
    const request = { method: 'POST', url: URL_SIGNED, headers }
    const notAfter = new Date(app.clock.now() + 1000)
    expect(await httpbis.verifyMessage({ keyLookup: async () => key, notAfter }, request)).toBe(true)
  },
)

test('a signature is refused when a parameter is moved: their order is signed', async () => {
  const all = ours()
  const input = String(all['Signature-Input']).replace(/(;created=\d+)(;nonce="[^"]*")/, '$2$1')
  expect((await post({ ...all, 'Signature-Input': input })).status).toBe(401)
  expect(app.last()).toBe('bad_signature')
})
