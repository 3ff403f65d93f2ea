import { test } from '@jest/globals'
import { expectLinearTime, type Frame, type ParserRow, parsersOf } from '../../../test/support/linear-time.js'
import { isScope } from '../src/demand.js'
import { parseJws } from '../src/jwt/parse-jws.js'
import { freshMs } from '../src/keys/freshness.js'
import { readBareToken, readToken } from '../src/read.js'
import { decodeBase64url, parseJsonObject } from '../src/strict-encoding.js'

const around: readonly Frame[] = [(run) => run, (run) => `a${run}a`]
const whole = Number.POSITIVE_INFINITY
const request = (fields: Record<string, string>, originalUrl = '/', body?: object) =>
  ({ originalUrl, body, rawHeaders: Object.entries(fields).flat() }) as never
const encoded = (text: string) => Buffer.from(text).toString('base64url')
const HEADER = encoded('{"alg":"RS256"}')

const PARSERS: readonly ParserRow[] = [
  [
    'Authorization',
    (text) => readToken(request({ authorization: text }), ['bearer'], whole),
    [(run) => run, (run) => `Bearer ${run}`, (run) => `Bearer a${run}a`],
  ],
  [
    'the query',
    (text) => readToken(request({}, text), ['bearer'], whole),
    [(run) => `/?${run}`, (run) => `/?%61${run}`, (run) => `/?access_token${run}`],
  ],
  [
    'the type of a form',
    (text) => readToken(request({ 'content-type': text }, '/', { access_token: '' }), ['bearer'], whole),
    [(run) => run, (run) => `application/x-www-form-urlencoded${run}`],
  ],
  ['a bare token', (text) => readBareToken(text, whole)],
  ['a JWS', parseJws, [...around, (run) => `${HEADER}.${run}`, (run) => `${HEADER}.e30.${run}`]],
  [
    'a JWS with a long payload',
    (text) => parseJws(`${HEADER}.${encoded(text)}.`),
    [(run) => `{"a":${run}`, (run) => `{"a":"${run}"}`],
  ],
  ['a JWS with a long header', (text) => parseJws(`${encoded(text)}.e30.`), [(run) => `{"alg":"${run}"}`]],
  ['base64url', decodeBase64url, around],
  [
    'JSON',
    (text) => parseJsonObject(Buffer.from(text)),
    [(run) => run, (run) => `{"a":${run}`, (run) => `{"a":"${run}"}`, (run) => `{"a":[${run}]}`, (run) => `{${run}}`],
  ],
  ['a scope', isScope, around],
  ['Cache-Control', (text) => freshMs({ 'cache-control': text }), [...around, (run) => `max-age${run}`]],
]

/** An object of about this length. */
function members(length: number): string {
  return `{${Array.from({ length: length / 10 }, (_, index) => `"${index}":1`).join(',')}}`
}

function levels(length: number): string {
  return `{"a":${'['.repeat(length / 2)}${']'.repeat(length / 2)}}`
}

test.each(parsersOf(PARSERS))('[oauth-linear-time] $name is read in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames)
})

test.each([members, levels])('JSON of many $name is read in linear time', (textOf) => {
  expectLinearTime((text) => parseJsonObject(Buffer.from(textOf(text.length))), undefined, ['a'])
})
