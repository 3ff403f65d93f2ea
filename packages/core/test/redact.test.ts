import { describe, expect, test } from '@jest/globals'
import { redact } from '../src/gate/redact.js'

const SECRET = `P@ss "w0rd"/é!x$y`

interface Sent {
  readonly url?: string
  readonly rawHeaders?: readonly string[]
  readonly body?: unknown
  readonly rawBody?: Buffer
}

function redacted(text: string, sent: Sent): string {
  return redact(text, { rawHeaders: [], headers: {}, url: '/', ...sent } as unknown as Parameters<typeof redact>[1])
}

describe('a warning has no credential that the app has decoded from', () => {
  test.each<[string, Sent]>([
    ['the query', { url: `/a?key=${encodeURIComponent(SECRET)}&b=1` }],
    ['the query, with a plus for a blank', { url: `/a?${new URLSearchParams({ key: SECRET })}` }],
    ['a cookie', { rawHeaders: ['Cookie', `a=1; key=${encodeURIComponent(SECRET)}`] }],
    ['a header field in UTF-8', { rawHeaders: ['X-Key', Buffer.from(SECRET).toString('latin1')] }],
    ['the scheme Basic', { rawHeaders: ['Authorization', `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`] }],
    ['a form', { rawBody: Buffer.from(`key=${encodeURIComponent(SECRET)}`) }],
    ['the bytes of JSON', { rawBody: Buffer.from(JSON.stringify({ key: SECRET })) }],
    ['a parsed body', { body: { key: SECRET } }],
  ])('%s', (_title, sent) => {
    expect(redacted(`bad key <${SECRET}>`, sent)).toBe('bad key <…>')
  })

  test('a text that the request does not have stays', () => {
    expect(redacted('bad key <other %zz %>', { url: '/a?key=%&b=%zz', rawHeaders: ['X-Key', ''] })).toBe(
      'bad key <other %zz %>',
    )
  })
})
