import { request as httpRequest, type IncomingMessage } from 'node:http'
import {
  assertLinesCame,
  fieldLines,
  type HeaderFields,
  parseAuthorization,
  valuesOfFields,
} from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import fc from 'fast-check'
import { serve } from '../../../test/support/http-server.js'

/** What a server reads in a request with these lines, beside what Node says of it. */
async function read(name: string, lines: readonly string[]): Promise<{ ours: readonly string[]; nodes: unknown }> {
  let seen: { ours: readonly string[]; nodes: unknown } | undefined
  const app = express().use((request, response) => {
    seen = { ours: fieldLines(request, name), nodes: request.headersDistinct[name] }
    response.end()
  })
  const running = await serve(app)
  await new Promise<void>((resolve, reject) => {
    const outgoing = httpRequest(running.url, (response) => response.resume().on('end', resolve))
    if (lines.length > 0) outgoing.setHeader(name.replace(/^x/, 'X'), lines as string[])
    outgoing.on('error', reject).end()
  })
  await running.close()
  return seen as { ours: readonly string[]; nodes: unknown }
}

describe('the lines of a field', () => {
  test.each([
    ['none', []],
    ['one', ['a']],
    ['two that are equal', ['a', 'a']],
    ['three in their order', ['c', 'a', 'b, d']],
  ])('are those that came: %s', async (_title, lines) => {
    const { ours, nodes } = await read('x-badge', lines)
    expect(ours).toEqual(lines)
    expect(nodes).toEqual(lines.length === 0 ? undefined : lines)
  })

  test('are found whatever the case of the name, and not under a longer or a shorter one', () => {
    const rawHeaders = ['AUTHORIZATION', '1', 'authorizatio', '2', 'Authorization', '3', 'xauthorization', '4']
    expect(fieldLines({ rawHeaders }, 'authorization')).toEqual(['1', '3'])
  })

  test('are not those of another name that is as long', () => {
    const rawHeaders = ['x-authorized', '1', 'x-credential', '2']
    expect(fieldLines({ rawHeaders }, 'x-credential')).toEqual(['2'])
    expect(valuesOfFields({ rawHeaders }, ['x-credential'])).toEqual(['2'])
  })

  test('are all there, for any headers', () => {
    const name = fc.constantFrom('a', 'A', 'ab', 'Ab', 'b')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        const expected = pairs.filter(([key]) => key.toLowerCase() === 'ab').map(([, value]) => value)
        expect(fieldLines({ rawHeaders: pairs.flat() }, 'ab')).toEqual(expected)
      }),
    )
  })
})

describe('the lines of a field that an adapter left in `headers` alone', () => {
  const lines = (headers: Record<string, unknown>, name = 'authorization') =>
    fieldLines({ rawHeaders: [], headers: headers as HeaderFields['headers'] }, name)

  test.each([
    ['a text is one', 'Bearer a', ['Bearer a']],
    ['a text is left as it is', ' Bearer a ', [' Bearer a ']],
    ['a list is as many', ['Bearer a', 'Bearer b'], ['Bearer a', 'Bearer b']],
    ['an empty list is none', [], []],
    ['a text with a comma is two that were joined', 'Bearer a, Bearer b', ['Bearer a', 'Bearer b']],
    ['a comma without a blank counts as well', 'Bearer a,', ['Bearer a', '']],
    ['a number is its text', 7, ['7']],
    ['null is none', null, []],
    ['undefined is none', undefined, []],
  ])('%s', (_title, value, expected) => {
    expect(lines({ authorization: value })).toEqual(expected)
  })

  test.each(['cookie', 'signature', 'signature-input', 'user-agent'])('%s may hold a comma', (name) => {
    expect(lines({ [name]: 'a=1, b=2' }, name)).toEqual(['a=1, b=2'])
    expect(lines({ [name]: ['a=1', 'b=2'] }, name)).toEqual(['a=1', 'b=2'])
  })

  test('are none where there are lines, and none of a polluted prototype', () => {
    expect(fieldLines({ rawHeaders: ['a', '1'], headers: { authorization: 'Bearer a' } }, 'authorization')).toEqual([])
    expect(lines(Object.create({ authorization: 'Bearer a' }))).toEqual([])
    expect(valuesOfFields({ rawHeaders: [] }, ['cookie'])).toEqual([undefined])
  })

  test('are the same for several fields at once, but for commas, which are left', () => {
    const headers = { cookie: ['a=1', 'b=2'], authorization: 'Bearer a, Bearer b', host: undefined }
    const found = valuesOfFields({ rawHeaders: [], headers }, ['cookie', 'authorization', 'host', 'none'])
    expect(found).toEqual([['a=1', 'b=2'], 'Bearer a, Bearer b', undefined, undefined])
    const rawHeaders = [
      'Cookie',
      'a=1',
      'b',
      '1',
      'AUTHORIZATION',
      'Bearer a, Bearer b',
      'cookie',
      'b=2',
      'COOKIE',
      'c=3',
    ]
    expect(valuesOfFields({ rawHeaders }, ['authorization', 'host', 'cookie'])).toEqual([
      'Bearer a, Bearer b',
      undefined,
      ['a=1', 'b=2', 'c=3'],
    ])
    const many = Array.from({ length: 40 }, (_, at) => `x-${at}`)
    const ofMany = valuesOfFields({ rawHeaders: ['X-39', 'a', 'y', 'b'] }, many)
    expect(ofMany).toEqual([...many.slice(1).map(() => undefined), 'a'])
  })

  test('are for several fields at once what the lines would have been', () => {
    const headers = { a: ['1'], b: [], c: null, d: 7 }
    expect(valuesOfFields({ rawHeaders: [], headers }, ['a', 'b', 'c', 'd'])).toEqual(['1', undefined, undefined, '7'])
  })

  test.each([
    ['two lines', ['Bearer a', 'Bearer b']],
    ['two lines that were joined', 'Bearer a, Bearer b'],
  ])('a credential in %s is not one credential', (_title, authorization) => {
    const request = { rawHeaders: [], headers: { authorization } } as unknown as IncomingMessage
    expect(parseAuthorization(request)).toEqual({ kind: 'duplicated' })
  })
})

describe('a field that something has put into `headers`', () => {
  const check = (rawHeaders: readonly unknown[], authorization: unknown) => () =>
    assertLinesCame({ rawHeaders, headers: { authorization } }, ['cookie', 'authorization'])

  test.each<[string, readonly unknown[], unknown]>([
    ['another value', ['Authorization', 'Bearer a'], 'Bearer b'],
    ['a value beside other fields', ['Host', 'tests'], 'Bearer a'],
    ['the value of another field', ['Host', 'Bearer a', 'x-authorized!', 'Bearer a'], 'Bearer a'],
    ['a list', ['Authorization', 'Bearer a'], ['Bearer a', 'Bearer b']],
    ['nothing, which is not what came', ['Authorization', 'Bearer a'], ''],
  ])('is refused, because a gate would not see it: %s', (_title, rawHeaders, value) => {
    expect(check(rawHeaders, value)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_COUNTERSIGN_HEADER_REWRITTEN',
        message: expect.stringContaining('"authorization"'),
      }),
    )
  })

  test.each<[string, readonly unknown[], unknown]>([
    ['it is what came', ['Host', 'tests', 'AUTHORIZATION', 'Bearer a'], 'Bearer a'],
    ['an adapter left a number in one of the two', ['Authorization', 7], '7'],
    ['it was removed from `headers`', ['Authorization', 'Bearer a'], undefined],
    ['several lines came, which a gate refuses or joins', ['authorization', 'a', 'Authorization', 'b'], 'a'],
    ['several lines came, and an app has its own reading', ['authorization', 'a', 'authorization', 'b'], 'a, b'],
    ['an adapter left no lines', [], 'Bearer a'],
  ])('is accepted where %s', (_title, rawHeaders, value) => {
    expect(check(rawHeaders, value)).not.toThrow()
  })

  test('is not looked for in a polluted prototype', () => {
    const headers = Object.create({ authorization: 'Bearer a' })
    expect(() => assertLinesCame({ rawHeaders: ['Host', 'tests'], headers }, ['authorization'])).not.toThrow()
    expect(() => assertLinesCame({ rawHeaders: ['Host', 'tests'] }, ['authorization'])).not.toThrow()
  })
})
