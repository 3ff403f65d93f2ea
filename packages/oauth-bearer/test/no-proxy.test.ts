import { expect, test } from '@jest/globals'
import { createNoProxy } from '../src/http/no-proxy.js'

test.each([
  ['', 'https://a.example.com/', false],
  ['*', 'https://a.example.com/', true],
  ['example.com', 'https://example.com/', true],
  ['example.com', 'https://a.example.com/', true],
  ['example.com', 'https://notexample.com/', false],
  ['.example.com', 'https://a.example.com/', true],
  ['*.example.com', 'https://a.b.example.com/', true],
  ['EXAMPLE.com', 'https://A.example.COM./', true],
  ['a.test, example.com b.test', 'https://b.test/', true],
  ['example.com:8443', 'https://example.com/', false],
  ['example.com:443', 'https://example.com/', true],
  ['example.com:8443', 'https://example.com:8443/', true],
  ['10.0.0.1', 'https://10.0.0.1/', true],
  ['10.0.0.1', 'https://10.0.0.10/', false],
  ['10.0.0.0/8', 'https://10.200.3.4/', true],
  ['10.0.0.0/8', 'https://11.0.0.1/', false],
  ['10.0.0.0/8', 'https://10.example.com/', false],
  ['10.0.0.0/99', 'https://10.0.0.1/', false],
  ['10.0.0.0/', 'https://11.0.0.1/', false],
  ['::1', 'https://[::1]/', true],
  ['[::1]:443', 'https://[::1]/', true],
  ['[::1]:80', 'https://[::1]/', false],
  ['fd00::/8', 'https://[fd12::1]/', true],
  ['::/0', 'https://1.2.3.4/', false],
  ['.', 'https://a.example.com/', false],
  [',', 'https://a.example.com/', false],
])('NO_PROXY=%j and %s: direct is %s', (list, url, expected) => {
  expect(createNoProxy(list)(new URL(url))).toBe(expected)
})
