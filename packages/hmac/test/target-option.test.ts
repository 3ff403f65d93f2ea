import { resolveOptions } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import { resolveTarget, type TargetOptions, targetRules } from '../src/formats/signed-target.js'

const request = (originalUrl: string) => ({ originalUrl }) as Request
const targetOf = (options: TargetOptions, originalUrl = '/jobs?a=1') =>
  resolveTarget('requireHmac', options)(request(originalUrl))

describe('the target that was signed', () => {
  test('is the one of the request, the one with the prefix that a proxy removed, or what a function makes of it', () => {
    expect(targetOf({})).toBe('/jobs?a=1')
    expect(targetOf({ pathPrefix: '/billing' })).toBe('/billing/jobs?a=1')
    expect(targetOf({ target: ({ originalUrl }) => `/v1${originalUrl}` })).toBe('/v1/jobs?a=1')
  })

  test('has no prefix where it is no path: it stays what it is, to be refused', () => {
    for (const target of ['http://host/jobs', '*', '', '?a=1'])
      expect(targetOf({ pathPrefix: '/billing' }, target)).toBe(target)
  })

  test('comes from one of the two options, and the error names the other', () => {
    expect(() => resolveTarget('requireHmac', { pathPrefix: '/a', target: () => '/' })).toThrow(
      expect.objectContaining({
        ...{ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'target' },
        message: expect.stringMatching(/^requireHmac: .*"target".*"pathPrefix"/),
      }),
    )
  })
})

describe('a function that has a bug', () => {
  const thrown = (error: unknown) => () =>
    targetOf({
      target: () => {
        throw error
      },
    })

  test('and throws what only a bug throws is told by that error itself', () => {
    for (const bug of [new TypeError('x is undefined'), new RangeError('too long')]) expect(thrown(bug)).toThrow(bug)
  })

  test('and throws anything else is named with its place, and without what could be secret', () => {
    const error = Object.assign(new Error('s3cret'), { name: 'ProxyError' })
    expect(thrown(error)).toThrow(TypeError)
    expect(thrown(error)).toThrow(/^requireHmac: option "target" threw ProxyError at .*target-option\.test\.ts/)
    expect(thrown(Object.assign(new Error('s3cret'), { stack: undefined }))).toThrow(/threw Error at an unknown place$/)
    for (const value of [error, 's3cret', undefined]) expect(thrown(value)).not.toThrow('s3cret')
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a URL', new URL('https://host/')],
    ['a promise', Promise.resolve('/')],
  ])('and returns %s is a TypeError that names the option', (_what, value) => {
    const work = () => targetOf({ target: () => value as string })
    expect(work).toThrow(TypeError)
    expect(work).toThrow('requireHmac: option "target" did not return a string')
  })

  test('and rejects does not end the process', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    expect(() => targetOf({ target: () => Promise.reject(new Error('late')) as never })).toThrow(
      'did not return a string',
    )
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})

describe('at creation', () => {
  const resolve = (options: object) => () => resolveOptions('requireHmac', options as TargetOptions, targetRules)

  test('a prefix is the start of a path, without a slash at its end', () => {
    for (const pathPrefix of ['/a', '/a/b', '/a%2Fb', '/~!$&()*+,;=:@._-', `/${'x'.repeat(128)}`, '/a'.repeat(16)]) {
      expect(resolve({ pathPrefix })).not.toThrow()
    }
    const wrong = ['', '/', 'a', '/a/', '//a', '/a//b', '/a?', '/a#', '/a b', '/a\n', '/\u00fc', '/\x7f', 7, null]
    for (const pathPrefix of [...wrong, `/${'x'.repeat(129)}`, '/a'.repeat(17)]) {
      expect(resolve({ pathPrefix })).toThrow(/^requireHmac: .*"pathPrefix" must be the start of a path/)
    }
  })

  test('a function is not async', () => {
    for (const target of ['/a', async () => '/a', {}])
      expect(resolve({ target })).toThrow(/"target" must be a function/)
  })
})
