import { gateOptionRules, memberOf, nearest, option, resolveOptions } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'

const rules = {
  ...gateOptionRules,
  audience: option.string().required(),
  windowSeconds: option.integer(1, 3600).default(300),
  secret: option.string().secret(),
}
const good = { audience: 'app' }

test.each([
  ['windowS', 'windowSeconds'],
  ['windowSecondsBefore', 'windowSeconds'],
  ['requiredAudience', 'audience'],
  ['auditSink', 'audit'],
  ['clientsecret', 'secret'],
  ['windowMs', 'windowSeconds'],
  ['windowMinutes', 'windowSeconds'],
])(
  '[core-options] %s is taken for %s, which it begins, begins with, ends with or has in another unit',
  (word, meant) => {
    expect(nearest(word, Object.keys(rules))).toBe(meant)
  },
)

test('[core-options] a name from elsewhere is told what it is here', () => {
  const wrong = (options: object) => () =>
    resolveOptions('requireThing', options, rules, '', { tolerance: 'clock.skew' })
  expect(wrong({ ...good, Tolerance: 1 })).toThrow('unknown option "Tolerance". Did you mean "clock.skew"?')
  // A table of names is no prototype.
  expect(wrong({ ...good, constructor: 1 })).toThrow('unknown option "constructor". The options are: ')
})

test('[core-options] a function whose result is used at once is not async', () => {
  const sync = { now: option.syncFunc<() => number>() }
  const resolve = (now: unknown) => resolveOptions('requireThing', { now }, sync).now
  expect(resolve(Date.now)).toBe(Date.now)
  const wrong = [
    async () => 1,
    async function* many() {
      yield 1
    },
    function* one() {
      yield 1
    },
  ]
  for (const value of wrong) {
    expect(() => resolve(value)).toThrow('option "now" must be a function that is not async, got an async function')
  }
  const clock = { now: async () => 1, monotonic: () => 1 }
  expect(() => resolveOptions('requireThing', { ...good, clock }, rules)).toThrow('option "clock" must be a Clock')
})

test('[core-options] a member of Object.prototype is not a member of what a caller made', () => {
  class Made {
    get scopes() {
      return ['a']
    }
  }
  const prototype = Object.prototype as unknown as Record<string, unknown>
  prototype.scopes = ['admin']
  try {
    expect(memberOf({} as { scopes?: string[] }, 'scopes')).toBeUndefined()
    expect(memberOf({ scopes: ['b'] }, 'scopes')).toEqual(['b'])
  } finally {
    delete prototype.scopes
  }
  expect(memberOf(new Made(), 'scopes')).toEqual(['a'])
})
