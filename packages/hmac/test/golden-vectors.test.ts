import { readFileSync } from 'node:fs'
import { rfc9421, sign, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import type { SigningInput } from '../src/formats/format.js'

const { secret, options, vectors } = JSON.parse(
  readFileSync(new URL('vectors/x-headers.json', import.meta.url), 'utf8'),
) as {
  secret: string
  options: Parameters<typeof xHeaders>[0]
  vectors: { method: string; path: string; caller: string; timestamp: number; body: string; signature: string }[]
}

describe('[hmac-known-answers] the known answers', () => {
  test.each(vectors)('$method $path is signed as it is in the field', (vector) => {
    const { method, path, caller, timestamp, body, signature } = vector
    const headers = sign(
      { method, url: `https://any.example.com${path}?not=bound`, body: Buffer.from(body) },
      { caller, secret, audience: 'any.example.com', format: xHeaders(options), now: timestamp * 1000 },
    )
    expect(headers).toEqual({
      'x-kh-caller': 'scheduler',
      'x-kh-timestamp': '1700000000',
      'x-kh-signature': signature,
    })
  })

  interface Bound {
    readonly method: string
    readonly target: string
    readonly headers?: Record<string, string>
    readonly body: string
    readonly caller: string
    readonly version?: number
    readonly audience: string
    readonly timestamp: number
    readonly nonce?: string
    readonly base: string
    readonly signed: Record<string, string>
  }
  const read = (file: string) =>
    JSON.parse(readFileSync(new URL(`vectors/${file}.json`, import.meta.url), 'utf8')) as {
      secret: string
      requiredFields?: string[]
      vectors: Bound[]
    }
  const { requiredFields = [], vectors: withFields } = read('required-fields')
  const rows: (Bound & { format: string; requiredFields?: readonly string[] })[] = [
    ...withFields.map((vector) => ({ format: 'xHeaders', ...vector, requiredFields })),
    ...read('rfc9421').vectors.map((vector) => ({ format: 'rfc9421', ...vector })),
    ...read('x-headers-bound').vectors.map((vector) => ({ format: 'xHeaders', ...vector })),
    ...read('x-headers-nonce').vectors.map((vector) => ({ format: 'xHeaders', ...vector })),
  ]

  test.each(rows)('$method $target is signed in $format as other languages do', (vector) => {
    const { method, target, headers = {}, body, caller, version, audience, timestamp, nonce, base, signed } = vector
    const fields = { requiredFields: vector.requiredFields }
    const format = vector.format === 'rfc9421' ? rfc9421(fields) : xHeaders(fields)
    const texts: string[] = []
    const recording = {
      ...format,
      sign: (input: SigningInput) =>
        format.sign({
          ...input,
          mac: (text) => {
            texts.push(text)
            return input.mac(text)
          },
        }),
    }
    const options = { caller, secret, audience, format: recording, now: timestamp * 1000 }
    const optional = { ...(version === undefined ? {} : { version }), ...(nonce === undefined ? {} : { nonce }) }
    const made = sign({ method, url: target, headers, body: Buffer.from(body) }, { ...options, ...optional })
    expect(texts).toEqual([base])
    expect(made).toEqual(signed)
  })

  test('[hmac-short-secret] a secret of less than 32 bytes signs nothing', () => {
    const short = { caller: 'scheduler', secret: 'x'.repeat(31), audience: 'a.example.com', format: xHeaders() }
    expect(() => sign({ method: 'GET', url: '/' }, short)).toThrow('at least 32 bytes')
  })

  test.each([
    ['a line end', 'text/plain\n"@path": /admin'],
    ['a carriage return', 'text/plain\r'],
    ['a null character', 'text/plain\0'],
    ['a delete character', 'text/plain\x7f'],
    ['a character that is no byte', 'text/\u2028plain'],
  ])('%s in a field is not signed, whichever field it is', (_what, value) => {
    const options = { caller: 'scheduler', version: 1, secret: 'x'.repeat(32), audience: 'a.example.com' }
    for (const [name, text] of [
      ['content-type', value],
      ['x-other', value],
      [`x-${value}`, 'text'],
    ] as const) {
      const signing = () => sign({ method: 'GET', url: '/', headers: { [name]: text } }, options)
      expect(signing).toThrow('that no HTTP message can hold')
    }
  })

  test('a tab, spaces and bytes beyond ASCII in a field are signed', () => {
    const options = { caller: 'scheduler', version: 1, secret: 'x'.repeat(32), audience: 'a.example.com' }
    const headers = { 'content-type': 'a;\tb="\u00fc \u00ff"' }
    expect(sign({ method: 'GET', url: '/', headers }, options)['Signature-Input']).toContain('"content-type"')
  })

  test('a misspelt option of sign throws with what was meant', () => {
    const misspelt = { caller: 'scheduler', secret: 'x'.repeat(32), audiense: 'a.example.com' }
    expect(() => sign({ method: 'GET', url: '/' }, misspelt as never)).toThrow('Did you mean "audience"?')
  })
})
