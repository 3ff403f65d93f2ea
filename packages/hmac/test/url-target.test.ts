import { describe, expect, test } from '@jest/globals'
import { targetOf } from '../src/formats/target.js'

describe('the target that is signed for a URL', () => {
  test.each([
    ['https://billing.example.com/jobs?a=1', '/jobs?a=1'],
    ['https://billing.example.com', '/'],
    ['https://billing.example.com?a=1', '/?a=1'],
    ['https://billing.example.com?a=/b', '/?a=/b'],
    ['https://billing.example.com/?', '/?'],
    ['https://user:password@billing.example.com:8443/a', '/a'],
    ['https://[::1]:8443/a', '/a'],
    ['git+ssh.v1-x://host/a', '/a'],
    ['HTTPS://host/a', '/a'],
    ['/jobs?a=1', '/jobs?a=1'],
    ['/', '/'],
    ['//host/a', '//host/a'],
    ['/redirect?to=https://other.example.com/b', '/redirect?to=https://other.example.com/b'],
    ['/a://b/c', '/a://b/c'],
  ])('%s is %s', (url, target) => {
    expect(targetOf(url)).toBe(target)
  })

  test('is cut, not parsed: no byte of it changes', () => {
    for (const target of [
      '/a/../b',
      '/a/%2e%2e/b',
      '/./a',
      '/%61',
      '/A%2fb',
      "/a'(b)*!",
      '/a;v=1',
      '/a\\b',
      '/a?b?c',
      '/a{}|',
    ]) {
      expect([targetOf(target), targetOf(`https://host${target}`)]).toEqual([target, target])
    }
  })

  test('has no fragment: it is never sent', () => {
    expect(targetOf('https://host/a?b=1#c?d/e')).toBe('/a?b=1')
    expect(targetOf('https://host#/a')).toBe('/')
    expect(targetOf('https://host?a#b')).toBe('/?a')
    expect(targetOf('/a#b#c')).toBe('/a')
  })

  test('is that of a URL object as fetch sends it', () => {
    expect(targetOf(new URL('https://host/a/../b?c=d e#f'))).toBe('/b?c=d%20e')
  })

  test.each<[string, unknown]>([
    ['a name without a slash', 'jobs'],
    ['nothing', ''],
    ['a query alone', '?a=1'],
    ['a fragment alone', '#a'],
    ['a host without a scheme', 'billing.example.com/jobs'],
    ['a scheme without a host', 'mailto:a@example.com'],
    ['a scheme that is none', '1http://host/a'],
    ['a scheme behind a space', ' https://host/a'],
    ['a space', '/a b'],
    ['a line end', '/a\n'],
    ['a line end in the query', 'https://host/a?b\r\nX: y'],
    ['a null character', '/a\0'],
    ['a delete character', '/a\x7f'],
    ['a letter beyond ASCII', '/\u00e4'],
    ['an asterisk', '*'],
    ['undefined', undefined],
    ['an object without an address', {}],
  ])('is refused of %s, and the error names the option', (_what, url) => {
    expect(() => targetOf(url as string)).toThrow(
      expect.objectContaining({
        ...{ name: 'TypeError', code: 'ERR_COUNTERSIGN_HMAC_URL_INVALID' },
        message: expect.stringMatching(/^sign: "url" must be/),
      }),
    )
  })
})
