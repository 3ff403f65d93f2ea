import { describe, expect, test } from '@jest/globals'
import { AliasCache } from '../src/store/redis/alias-cache.js'
import { decisionKeys, keyLayout, plainKeys } from '../src/store/redis/keys.js'
import {
  type FoundReply,
  foundFrom,
  isPlain,
  linesOf,
  plainFrom,
  provenFrom,
  recordFrom,
} from '../src/store/redis/replies.js'
import { addressOf, mintToken } from '../src/token.js'

const digest = Buffer.alloc(32, 0xab)
const hex = digest.toString('hex')
const credential = {
  credentialId: 'c1',
  threadId: 't1',
  providerInstanceId: 'p1',
  providerSessionId: 's1',
  capabilities: ['a', 'b'],
  issuedAt: 1000,
  expiresAt: 3000,
  idleAt: 2000,
}
const reply = (...more: [string?, string?]) =>
  ['live', hex, 't1', 'p1', 's1', '["a","b"]', '1000', '3000', '2000', ...more] as FoundReply
const dead = (standing: 'idle' | 'expired', now: string) => [standing, ...reply(now).slice(1)] as FoundReply

describe('the answer to a look-up', () => {
  test('is nothing, a wrong secret, a holder or a credential; of numbers a client may make texts', () => {
    expect(linesOf(null)).toBeNull()
    expect([linesOf(1), linesOf('1')]).toEqual([['wrong'], ['wrong']])
    expect(linesOf('alias\nc2')).toEqual(['alias', 'c2'])
    expect(linesOf(reply().join('\n'))).toEqual(reply())
    expect(linesOf(Buffer.from(reply().join('\n')))).toEqual(reply())
  })

  test('proves a secret whose digest is the stored one, and no other', () => {
    const proven = { standing: 'live', isProven: true, credential }
    expect(provenFrom(reply(), 'c1', digest)).toStrictEqual(proven)
    expect(provenFrom(reply(), 'c1', Buffer.alloc(32, 0xac))).toMatchObject({ isProven: false })
    for (const other of [Buffer.alloc(0), digest.subarray(1), Buffer.concat([digest, digest])]) {
      expect(provenFrom(reply(), 'c1', other)).toMatchObject({ isProven: false })
    }
    expect(provenFrom(['live', '', ...reply().slice(2)] as FoundReply, 'c1', digest)).toMatchObject({ isProven: false })
    expect(provenFrom(['wrong'], 'c1', digest)).toStrictEqual({ isProven: false })
    expect(provenFrom(null, 'c1', digest)).toBeUndefined()
  })

  test('proves nothing where no secret was asked about', () => {
    expect(foundFrom(reply(), 'c1')).toStrictEqual({ standing: 'live', isProven: false, credential })
    expect(foundFrom(reply('', '5000 c2'), 'c1')).toStrictEqual({ standing: 'live', isProven: false, credential })
  })

  test('tells for how long it has been idle or expired', () => {
    expect(foundFrom(dead('idle', '2400'), 'c1')).toMatchObject({ standing: 'idle', lateMs: 400 })
    expect(foundFrom(dead('expired', '3700'), 'c1')).toMatchObject({ standing: 'expired', lateMs: 700 })
    expect(provenFrom(dead('idle', '2400'), 'c1', digest)).toMatchObject({ isProven: true, lateMs: 400 })
  })

  test('has the credential of its holder, with a session or without', () => {
    expect(recordFrom(reply(), 'c9')).toStrictEqual({ ...credential, credentialId: 'c9' })
    const without = reply().with(4, '') as FoundReply
    expect(recordFrom(without, 'c1')).toStrictEqual({ ...credential, providerSessionId: undefined })
  })

  test('has capabilities that nobody can change, also after more lists than are remembered', () => {
    const listOf = (text: string) => recordFrom(reply().with(5, text) as FoundReply, 'c1').capabilities
    expect(Object.isFrozen(listOf('["x"]'))).toBe(true)
    expect(listOf('["x"]')).toBe(listOf('["x"]'))
    for (let index = 0; index <= 1000; index += 1) expect(listOf(`["many-${index}"]`)).toEqual([`many-${index}`])
    expect(listOf('["x"]')).toEqual(['x'])
  })
})

describe('the answer to a plain decision', () => {
  const padded = (number: number) => String(number).padStart(16, '0')
  const packed = (session: string) =>
    `${padded(3000)}${padded(2000)}${padded(1000)}${' '.repeat(16)}${padded(4)}e1 e2 e3 e4\nt1\np1\n${session}\n["a","b"]`

  test('is for the other script where it says so, as a number or a text', () => {
    expect([2, '2'].map(isPlain)).toEqual([false, false])
    expect([1, '1', null, packed('s1')].map(isPlain)).toEqual([true, true, true, true])
  })

  test('is nothing, a wrong secret, or a live credential whose secret is proven', () => {
    expect(plainFrom(null, 'c1')).toBeUndefined()
    expect([plainFrom(1, 'c1'), plainFrom('1', 'c1')]).toStrictEqual([{ isProven: false }, { isProven: false }])
    expect(plainFrom(packed('s1'), 'c1')).toStrictEqual({ standing: 'live', isProven: true, credential })
    expect(plainFrom(packed(''), 'c1')).toStrictEqual({
      standing: 'live',
      isProven: true,
      credential: { ...credential, providerSessionId: undefined },
    })
  })
})

describe('what is known of aliases', () => {
  test('is the credential that each stands for, until one stands for itself', () => {
    const aliases = new AliasCache()
    expect([aliases.holderOf('a'), aliases.concerns('a')]).toEqual(['a', false])
    aliases.learn('a', 'b')
    expect([aliases.holderOf('a'), aliases.concerns('a'), aliases.concerns('b')]).toEqual(['b', true, false])
    aliases.learn('a', 'c')
    expect(aliases.holderOf('a')).toBe('c')
    aliases.learn('a', 'a')
    expect([aliases.holderOf('a'), aliases.concerns('a')]).toEqual(['a', false])
  })

  test('is until when those of a holder stay: each moment is written once, unless that failed', () => {
    const aliases = new AliasCache()
    expect([aliases.mustExtend('b', '1'), aliases.mustExtend('b', '1'), aliases.concerns('b')]).toEqual([
      true,
      false,
      true,
    ])
    expect([aliases.mustExtend('b', '2'), aliases.mustExtend('b', '2')]).toEqual([true, false])
    aliases.forgetExtension('b')
    expect([aliases.concerns('b'), aliases.mustExtend('b', '2')]).toEqual([false, true])
  })

  test('is bounded: of more than 10,000 the ones that were learnt first are forgotten', () => {
    const aliases = new AliasCache()
    for (let index = 0; index < 10_000; index += 1) aliases.learn(`a${index}`, 'b')
    aliases.learn('a0', 'c')
    expect(aliases.holderOf('a1')).toBe('b')
    aliases.learn('more', 'b')
    expect(['a0', 'a1', 'a2', 'more'].map((id) => aliases.holderOf(id))).toEqual(['c', 'a1', 'b', 'b'])
  })
})

describe('the keys', () => {
  const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: 's1' }
  const layout = keyLayout('ns')
  const { id } = mintToken('mcps', subject)
  const { thread, provider, session } = addressOf(id)
  const { tag } = layout.of(thread)

  test('of a thread are in one of 16 partitions, always the same', () => {
    expect(layout.partitions).toHaveLength(16)
    expect(new Set(layout.partitions.map((keys) => keys.tag)).size).toBe(16)
    expect(layout.partitions).toContain(layout.of(thread))
    expect(keyLayout('ns').of(thread).tag).toBe(tag)
    expect(keyLayout('other').of(thread).tag).not.toBe(tag)
  })

  test('do not change: what is stored outlives versions', () => {
    const keys = layout.of(thread)
    const { all, names, deadlines, sessionKey } = keys
    const of = [keys.record('x'), keys.thread('x'), keys.provider('x'), keys.session('x'), keys.retired('x')]
    expect([all, names, deadlines, sessionKey, ...of, keys.attempt('x')].map((key) => key.split(tag))).toEqual(
      [':all', ':names', ':deadlines', ':session-key', ':c:x', ':t:x', ':p:x', ':s:x', ':r:x', ':a:x'].map((end) => [
        '',
        end,
      ]),
    )
    expect(tag).toMatch(/^\{ns:mcp:\d+:\d+\}$/)
  })

  test('of a plain decision follow from the id alone; without a session there is none to look at', () => {
    const keys = [`${tag}:c:${id}`, `${tag}:t:${thread}`, `${tag}:all`, `${tag}:p:${provider}`]
    expect(plainKeys(layout, id)).toEqual({ tag, keys: [...keys, `${tag}:s:${session}`] })
    const plain = mintToken('mcps', { ...subject, providerSessionId: undefined }).id
    expect(plainKeys(layout, plain).keys).toEqual([`${tag}:c:${plain}`, ...keys.slice(1)])
  })

  test('of any decision have the record and the session of the credential that an alias stands for', () => {
    const holder = mintToken('mcps', { ...subject, providerSessionId: 's2' }).id
    expect(decisionKeys(layout, id, holder)).toEqual({
      tag,
      keys: [
        `${tag}:c:${id}`,
        `${tag}:c:${holder}`,
        `${tag}:t:${thread}`,
        `${tag}:p:${provider}`,
        `${tag}:s:${addressOf(holder).session}`,
        `${tag}:all`,
        `${tag}:names`,
        `${tag}:deadlines`,
      ],
    })
  })
})
