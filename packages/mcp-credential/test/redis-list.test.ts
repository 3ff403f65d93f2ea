import { describe, expect, test } from '@jest/globals'
import { resolveLife } from '../src/registry/life.js'
import type { Standing } from '../src/store/port.js'
import { keyLayout } from '../src/store/redis/keys.js'
import { createLister } from '../src/store/redis/list.js'
import type { FoundReply } from '../src/store/redis/replies.js'
import { forgetScript, namesScript } from '../src/store/redis/scripts.js'
import { addressOf, mintToken, threadHash } from '../src/token.js'

const lifeOf = (revivesIdle: boolean) =>
  resolveLife(
    'test',
    { idleTimeoutSeconds: 1800, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn: 'both' },
    revivesIdle,
  )
const life = lifeOf(false)
const layout = keyLayout('ns')

interface Indexed {
  readonly id: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly standing: Standing
  /** The credential that it is an alias of. */
  readonly holder?: string
  readonly isGone?: boolean
}

function indexed(threadId: string, standing: Standing = 'live', more: Partial<Indexed> = {}): Indexed {
  const providerInstanceId = more.providerInstanceId ?? 'p1'
  const { id } = mintToken('mcps', { threadId, providerInstanceId, providerSessionId: undefined })
  return { id, threadId, providerInstanceId, standing, ...more }
}

/** A lister on an index that has these, and a note of what it asked. */
function world(...all: Indexed[]) {
  const asked: { keys: readonly string[]; args: readonly unknown[] }[] = []
  const forgotten: unknown[] = []
  const isIn = (id: string, [lower = '', upper = '']: readonly string[]) => {
    const isAfter = lower.startsWith('(') ? id > lower.slice(1) : id >= lower.slice(1)
    return isAfter && (upper === '+' || id <= upper.slice(1))
  }
  const run = async (script: unknown, tag: string, keys: readonly string[], args: readonly unknown[]) => {
    if (script === forgetScript) return forgotten.push({ tag, keys, ids: args })
    expect(script).toBe(namesScript)
    asked.push({ keys, args })
    const ids = all
      .map(({ id }) => id)
      .filter((id) => layout.of(addressOf(id).thread).tag === tag && isIn(id, args as readonly string[]))
      .sort()
    return ['g1', ids.slice(0, Number(args[2]))]
  }
  const peek = async (id: string) => {
    const one = all.find((other) => other.id === id) as Indexed
    const { standing, threadId, providerInstanceId, holder = id, isGone = false } = one
    const reply = [standing, '', threadId, providerInstanceId, '', '["a"]', '1', '3', '2'] as unknown as FoundReply
    return { holder, reply: isGone ? null : reply }
  }
  return { ...createLister({ run, layout, peek } as never), asked, forgotten }
}

const ids = (all: readonly { readonly id?: string; readonly credentialId?: string }[]) =>
  all.map(({ id, credentialId }) => id ?? credentialId).sort()

/** All pages of a list. */
async function listed(one: ReturnType<typeof world>, filter: object, limit: number) {
  const found: unknown[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await one.list(filter, cursor, limit, life)
    expect(page.credentials.length).toBeLessThanOrEqual(limit)
    found.push(...page.credentials)
    cursor = page.cursor
    pages += 1
  } while (cursor !== undefined && pages < 100)
  return { found: found as { credentialId: string }[], pages }
}

describe('a list', () => {
  const many = Array.from({ length: 40 }, (_, index) => indexed(`t${index}`))

  test('has what is neither revoked nor superseded, the idle and the expired included, and no aliases', async () => {
    const shown = (['live', 'idle', 'expired'] as const).map((standing) => indexed('t1', standing))
    const one = world(
      ...shown,
      indexed('t1', 'revoked'),
      indexed('t1', 'superseded'),
      indexed('t1', 'live', { holder: 'another' }),
      indexed('t1', 'live', { isGone: true }),
    )
    const { credentials, cursor } = await one.list({}, undefined, 100, life)
    expect([ids(credentials), cursor]).toEqual([ids(shown), undefined])
    expect(credentials.find(({ standing }) => standing === 'idle')).toEqual({
      credentialId: shown[1]?.id,
      threadId: 't1',
      providerInstanceId: 'p1',
      providerSessionId: undefined,
      capabilities: ['a'],
      issuedAt: 1,
      expiresAt: 3,
      idleAt: 2,
      standing: 'idle',
    })
  })

  test.each([1, 3, 39, 40, 41])('has each credential once, page by page, %d on each', async (limit) => {
    const { found, pages } = await listed(world(...many), {}, limit)
    expect(ids(found)).toEqual(ids(many))
    expect(pages).toBe(Math.floor(40 / limit) + 1)
  })

  test('asks for no more than a page has room for', async () => {
    const one = world(...many)
    await one.list({}, undefined, 5, life)
    const limits = one.asked.map(({ args }) => Number(args[2]))
    expect(limits[0]).toBe(5)
    expect(Math.max(...limits)).toBe(5)
    expect(limits.at(-1)).toBeLessThan(5)
  })

  test('of a thread looks at its partition alone', async () => {
    const own = [indexed('t1'), indexed('t1')]
    const one = world(...own, ...many.slice(2))
    const { found } = await listed(one, { threadId: 't1' }, 1)
    expect(ids(found)).toEqual(ids(own))
    const { names } = layout.of(threadHash('t1'))
    expect(new Set(one.asked.map(({ keys }) => keys[0]))).toEqual(new Set([names]))
    expect(one.asked[0]?.args.slice(0, 2)).toEqual([`[${threadHash('t1')}`, `[${threadHash('t1')}~`])
  })

  test('of a provider has its credentials alone', async () => {
    const own = [
      indexed('t1', 'live', { providerInstanceId: 'p2' }),
      indexed('t2', 'live', { providerInstanceId: 'p2' }),
    ]
    const one = world(...own, ...many)
    expect(ids((await listed(one, { providerInstanceId: 'p2' }, 3)).found)).toEqual(ids(own))
    expect(ids((await listed(one, { providerInstanceId: 'p2', threadId: 't2' }, 3)).found)).toEqual([own[1]?.id])
  })

  test('shows nothing of another thread or provider whose hash is the same', async () => {
    const own = indexed('t1')
    const likeThread = { ...indexed('t1'), threadId: 'other' }
    const likeProvider = { ...indexed('t1'), providerInstanceId: 'other' }
    const one = world(own, likeThread, likeProvider)
    expect(ids((await listed(one, { threadId: 't1' }, 9)).found)).toEqual(ids([own, likeProvider]))
    expect(ids((await listed(one, { providerInstanceId: 'p1' }, 9)).found)).toEqual(ids([own, likeThread]))
  })

  test.each(['', 'x', '1', '1.', '.a', '123.a', '1.a!', 'x1.a', '-1.a'])(
    'starts from the first one at %j, which is no cursor',
    async (cursor) => {
      const one = world(...many)
      expect((await one.list({}, cursor, 100, life)).credentials).toHaveLength(40)
    },
  )

  test('that has an end stays there', async () => {
    expect(await world(...many).list({}, '16.a', 100, life)).toEqual({ credentials: [], cursor: undefined })
  })
})

test('the count is of all that are neither revoked nor superseded, a hundred at a time, aliases included', async () => {
  const all = Array.from({ length: 250 }, () => indexed('t1'))
  const alias = indexed('t1', 'live', { holder: 'another' })
  const one = world(
    ...all,
    alias,
    indexed('t2', 'idle'),
    indexed('t3', 'revoked'),
    indexed('t3', 'live', { isGone: true }),
  )
  expect(await one.count(life)).toBe(252)
  expect(new Set(one.asked.map(({ args }) => args[2]))).toEqual(new Set([100]))
  expect(one.asked).toHaveLength(16 + 3 + new Set(['t2', 't3'].map((id) => layout.of(threadHash(id)).tag)).size)
})

describe('of a thread', () => {
  const own = [indexed('t1'), indexed('t1', 'revoked'), indexed('t1', 'live', { providerInstanceId: 'p2' })]
  const { thread, provider } = addressOf((own[0] as Indexed).id)
  const keys = layout.of(thread)

  test('the index has the ids, and those of each provider with their generation', async () => {
    const one = world(...own, indexed('t2'))
    expect([...(await one.idsOfThread(thread))].sort()).toEqual(ids(own))
    const { generation, ids: found } = await one.ofProvider(thread, provider)
    expect([generation, [...found].sort()]).toEqual(['g1', ids(own.slice(0, 2))])
    expect(one.asked).toEqual([
      { keys: [keys.names, keys.thread('')], args: [`[${thread}`, `[${thread}~`, 10_000, ''] },
      {
        keys: [keys.names, keys.thread(thread)],
        args: [`[${thread}${provider}`, `[${thread}${provider}~`, 10_000, provider],
      },
    ])
  })

  test.each([
    [false, ['idle', 'expired', 'superseded', 'revoked']],
    [true, ['expired', 'superseded', 'revoked']],
  ])('the dead leave the index (idle ones may be revived: %j)', async (revivesIdle, dead) => {
    const all = (['live', 'idle', 'expired', 'superseded', 'revoked'] as const).map((standing) =>
      indexed('t1', standing),
    )
    const gone = indexed('t1', 'live', { isGone: true })
    const one = world(...all, gone)
    await one.prune(thread, lifeOf(revivesIdle))
    const expected = ids([...all.filter(({ standing }) => dead.includes(standing)), gone])
    expect(one.forgotten).toEqual([{ tag: keys.tag, keys: [keys.names, keys.deadlines], ids: expect.anything() }])
    expect([...(one.forgotten[0] as { ids: string[] }).ids].sort()).toEqual(expected)
  })

  test('nothing is written where none is dead', async () => {
    const one = world(indexed('t1'))
    await one.prune(thread, life)
    expect(one.forgotten).toEqual([])
  })
})
