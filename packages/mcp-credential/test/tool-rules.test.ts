import { describe, expect, test } from '@jest/globals'
import { allows, compileTools, isToolRules } from '../src/tools/rules.js'

describe('the rules of tools', () => {
  test.each<[string, string, boolean]>([
    ['read', 'read', true],
    ['read', 'reader', false],
    ['read', 'a_read', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['read_*', 'read_', true],
    ['read_*', 'read_file', true],
    ['read_*', 'a_read_file', false],
    ['*_file', 'read_file', true],
    ['*_file', 'read_files', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'acb', false],
    ['a*b*c', 'ac', false],
    // The parts do not overlap.
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*bb*c', 'abc', false],
    ['*aa*aa*', 'aaa', false],
    ['*aa*aa*', 'aaaa', true],
    ['*ab*b', 'ab', false],
    // Nothing but a star is special.
    ['a.c', 'abc', false],
    ['a**c', 'abc', true],
  ])('the pattern %j on the tool %j: %j', (pattern, tool, matches) => {
    expect(compileTools({ [pattern]: 'x' })(tool)).toEqual(matches ? ['x'] : undefined)
  })

  test('each pattern that matches adds what it needs, and nothing twice', () => {
    const capabilitiesOf = compileTools({ 'read_*': ['read', 'files'], '*_file': 'files', other: 'other' })
    expect(capabilitiesOf('read_file')).toEqual(['read', 'files'])
    expect(capabilitiesOf('write_file')).toEqual(['files'])
    expect(capabilitiesOf('other')).toEqual(['other'])
    expect(capabilitiesOf('unknown')).toBeUndefined()
  })

  test('a pattern may need nothing, which is not the same as no pattern', () => {
    expect(compileTools({ ping: [] })('ping')).toEqual([])
    expect(compileTools({})('ping')).toBeUndefined()
  })

  test('a name that was asked for before has the same answer, an unknown one, too', () => {
    const capabilitiesOf = compileTools({ 'a*': 'x' })
    expect([capabilitiesOf('ab'), capabilitiesOf('b'), capabilitiesOf('ab'), capabilitiesOf('b')]).toEqual([
      ['x'],
      undefined,
      ['x'],
      undefined,
    ])
  })

  test('a thousand names of at most 128 characters are remembered, and others are answered alike', () => {
    const capabilitiesOf = compileTools({ '*': 'x' })
    const isRemembered = (tool: string) => {
      const first = capabilitiesOf(tool)
      return capabilitiesOf(tool) === first
    }
    expect(isRemembered('a'.repeat(128))).toBe(true)
    expect(isRemembered('a'.repeat(129))).toBe(false)
    for (let index = 1; index < 1000; index += 1) expect(isRemembered(`tool-${index}`)).toBe(true)
    expect(isRemembered('tool-1000')).toBe(false)
    expect(capabilitiesOf('tool-1000')).toEqual(['x'])
  })

  test('the rules that were compiled do not change with the app’s own list', () => {
    const needs = ['read']
    const capabilitiesOf = compileTools({ a: needs })
    needs.pop()
    expect(capabilitiesOf('a')).toEqual(['read'])
  })
})

test('a tool may be called by who has all that it needs, and one without a rule by nobody', () => {
  expect(allows(['a', 'b'], ['b', 'a', 'c'])).toBe(true)
  expect(allows(['a', 'b'], ['a'])).toBe(false)
  expect(allows([], [])).toBe(true)
  expect(allows(undefined, ['a'])).toBe(false)
})

test.each<[unknown, boolean]>([
  [{}, true],
  [{ a: 'x' }, true],
  [{ 'a*': ['x', 'y'] }, true],
  [{ a: [] }, true],
  [undefined, false],
  [null, false],
  ['a', false],
  [['a'], false],
  [{ '': 'x' }, false],
  [{ a: '' }, false],
  [{ a: ['x', ''] }, false],
  [{ a: 1 }, false],
  [{ a: 'x', b: [1] }, false],
])('%j are rules of tools: %j', (value, expected) => {
  expect(isToolRules(value)).toBe(expected)
})
