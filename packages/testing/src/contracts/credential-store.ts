import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createAudit } from '@countersign/core'
import {
  createMcpCredentials,
  type IssuedCredential,
  type IssueOptions,
  type McpCredentials,
} from '@countersign/mcp-credential'
import type { CredentialLife, McpCredentialStore } from '@countersign/mcp-credential/store'
import { type ContractCase, uniqueName } from './contract.js'

/** A registry on the store under test, and names that no other case has. */
interface World {
  readonly store: McpCredentialStore
  readonly credentials: McpCredentials
  /** What to issue for: the thread and the provider are of this case alone. */
  agent(changes?: Partial<IssueOptions>): IssueOptions
  standings(...issued: readonly IssuedCredential[]): Promise<string[]>
}

const LIFE: CredentialLife = {
  idleTimeoutMs: 60_000,
  coalesceMs: 0,
  maximumLifetimeMs: 3_600_000,
  absoluteLifetimeMs: undefined,
  retentionMs: 3_600_000,
  revivesIdle: true,
  slidesOnUse: true,
  slidesOnTouch: true,
}

const cases: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async 'gives back a credential as it was issued'({ credentials, agent }) {
    const options = agent({ capabilities: ['preview', 'apply'], providerSessionId: uniqueName('session') })
    const issued = await credentials.issue(options)
    const { standing, credential } = await credentials.resolve(issued.token)
    assert.equal(standing, 'live')
    assert.equal(credential?.credentialId, issued.credentialId)
    assert.equal(credential?.threadId, options.threadId)
    assert.equal(credential?.providerInstanceId, options.providerInstanceId)
    assert.equal(credential?.providerSessionId, options.providerSessionId)
    assert.deepEqual([...(credential?.capabilities ?? [])], ['preview', 'apply'])
    assert.ok((credential?.idleAt ?? 0) <= (credential?.expiresAt ?? 0))
  },
  async 'proves a secret, and finds nothing under an id that it does not know'({ store, credentials, agent }) {
    const issued = await credentials.issue(agent())
    const other = await store.resolve(issued.credentialId, randomBytes(32), LIFE)
    assert.equal(other?.isProven, false)
    assert.equal((await store.peek(issued.credentialId, LIFE))?.isProven, false)
    const unknown = issued.credentialId.slice(0, -1) + (issued.credentialId.endsWith('A') ? 'B' : 'A')
    assert.equal(await store.resolve(unknown, randomBytes(32), LIFE), undefined)
    assert.equal(await store.peek(unknown, LIFE), undefined)
    assert.equal(await credentials.revoke(unknown), false)
  },
  async 'revokes one credential, once, and no other'({ credentials, agent, standings }) {
    const [one, other] = [
      await credentials.issue(agent()),
      await credentials.issue(agent({ threadId: uniqueName('t') })),
    ]
    assert.equal(await credentials.revoke(one.credentialId), true)
    assert.equal(await credentials.revoke(one.credentialId), false)
    assert.deepEqual(await standings(one, other), ['revoked', 'live'])
  },
  async 'revokes a thread, a provider and a session of a provider, and what comes later lives'(world) {
    const { credentials, agent, standings } = world
    const scopes: [keyof IssueOptions, (id: string) => Promise<boolean>][] = [
      ['threadId', (id) => credentials.revokeThread(id)],
      ['providerInstanceId', (id) => credentials.revokeProvider(id)],
      ['providerSessionId', (id) => credentials.revokeProviderSession(id)],
    ]
    for (const [name, revoke] of scopes) {
      const shared = { [name]: uniqueName(name) }
      const own = () => ({ threadId: uniqueName('t'), providerInstanceId: uniqueName('p'), ...shared })
      const options = [agent({ ...own(), onExisting: 'keep' }), agent({ ...own(), onExisting: 'keep' })]
      const held = await Promise.all(options.map((one) => credentials.issue(one)))
      const other = await credentials.issue(agent({ threadId: uniqueName('t'), providerInstanceId: uniqueName('p') }))
      assert.equal(await revoke(shared[name] as string), true, name)
      assert.deepEqual(await standings(...held, other), ['revoked', 'revoked', 'live'], name)
      const later = await credentials.issue(options[0] as IssueOptions)
      assert.deepEqual(await standings(later), ['live'], name)
      assert.equal(await revoke(uniqueName('nobody')), false, name)
    }
  },
  async 'counts what is neither revoked nor superseded, whatever ended the others'(world) {
    const { credentials, agent } = world
    const before = (await credentials.stats()).credentials
    const count = async () => (await credentials.stats()).credentials - before
    const own = (changes: Partial<IssueOptions> = {}) =>
      credentials.issue(agent({ threadId: uniqueName('t'), providerInstanceId: uniqueName('p'), ...changes }))
    const of = { providerInstanceId: uniqueName('p') }
    const inSession = { ...of, providerSessionId: uniqueName('s') }
    await own(of)
    await own(inSession)
    const thread = { ...inSession, threadId: uniqueName('t') }
    await own(thread)
    await own({ ...thread, onExisting: 'carry' })
    const single = await own()
    const replaced = await own()
    await credentials.issue(agent({ threadId: replaced.threadId, providerInstanceId: replaced.providerInstanceId }))
    assert.equal(await count(), 6)
    await credentials.revokeProviderSession(inSession.providerSessionId)
    assert.equal(await count(), 3)
    await credentials.revokeProvider(of.providerInstanceId)
    assert.equal(await count(), 2)
    await single.revoke()
    assert.equal(await count(), 1)
    await credentials.revokeThread(replaced.threadId)
    assert.equal(await count(), 0)
  },
  async 'puts a new credential in the place of the thread’s other ones, or beside them'(world) {
    const { credentials, agent, standings } = world
    const options = agent()
    const first = await credentials.issue(options)
    const second = await credentials.issue(options)
    assert.deepEqual(await standings(first, second), ['superseded', 'live'])
    const third = await credentials.issue({ ...options, onExisting: 'keep' })
    assert.deepEqual(await standings(second, third), ['live', 'live'])
    const overlapping = await credentials.issue({ ...options, overlapSeconds: 60 })
    assert.deepEqual(await standings(second, third, overlapping), ['live', 'live', 'live'])
    const otherProvider = await credentials.issue({ ...options, providerInstanceId: uniqueName('p') })
    assert.deepEqual(await standings(overlapping, otherProvider), ['live', 'live'])
  },
  async 'carries a token over to the new credential'({ credentials, agent, standings }) {
    const options = agent({ capabilities: ['old'] })
    const first = await credentials.issue(options)
    const second = await credentials.issue({ ...options, capabilities: ['new'], onExisting: 'carry' })
    const { credential } = await credentials.resolve(first.token)
    assert.deepEqual([...(credential?.capabilities ?? [])], ['new'])
    assert.equal(await credentials.revoke(second.credentialId), true)
    assert.deepEqual(await standings(first, second), ['revoked', 'revoked'])
  },
  async 'has one live credential after many were issued for a thread at once'({ credentials, agent, standings }) {
    const options = agent()
    const issued = await Promise.all(Array.from({ length: 20 }, () => credentials.issue(options)))
    const live = (await standings(...issued)).filter((standing) => standing === 'live')
    assert.equal(live.length, 1)
  },
  async 'issues nothing for a retired thread'({ credentials, agent, standings }) {
    const options = agent()
    const issued = await credentials.issue(options)
    await credentials.retire(options.threadId)
    assert.deepEqual(await standings(issued), ['revoked'])
    await assert.rejects(credentials.issue(options), { name: 'IssueRefusedError' })
    await credentials.issue(agent({ threadId: uniqueName('t') }))
  },
  async 'knows of a thread that is alive, and of none that it does not have'({ credentials, agent }) {
    const options = agent()
    await credentials.issue(options)
    assert.equal(await credentials.touch(options.threadId), true)
    assert.equal(await credentials.touch(uniqueName('nobody')), false)
  },
  async 'lists a thread page by page, each credential once'({ credentials, agent }) {
    const options = agent({ onExisting: 'keep' })
    const issued = await Promise.all(Array.from({ length: 7 }, () => credentials.issue(options)))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const filter = { threadId: options.threadId, limit: 3, ...(cursor === undefined ? {} : { cursor }) }
      const page = await credentials.list(filter)
      seen.push(...page.credentials.map(({ credentialId }) => credentialId))
      cursor = page.cursor
    } while (cursor !== undefined)
    assert.deepEqual(seen.sort(), issued.map(({ credentialId }) => credentialId).sort())
    const none = await credentials.list({ threadId: uniqueName('nobody') })
    assert.deepEqual([...none.credentials], [])
  },
  async 'ends a credential that goes quiet, and revives it when the host says that it is alive'({ store, agent }) {
    let isAlive = false
    const credentials = createMcpCredentials({
      store,
      audit: createAudit(),
      idleTimeoutSeconds: 0.3,
      isAlive: () => isAlive,
    })
    const issued = await credentials.issue(agent())
    let used = await credentials.issue(agent({ threadId: uniqueName('t') }))
    assert.equal((await credentials.resolve(issued.token)).standing, 'live')
    // Used again and again, it lives on; the other one goes quiet.
    let standing = 'live'
    let usedMs = performance.now()
    const untilMs = performance.now() + 10_000
    while (standing === 'live' && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      const askedMs = performance.now()
      const isLive = (await credentials.resolve(used.token)).standing === 'live'
      // Not after a pause of this process: that was quiet, too.
      const wasUsed = performance.now() - usedMs < 250
      assert.ok(isLive || !wasUsed, 'what is used is not idle')
      if (!isLive) used = await credentials.issue(agent({ threadId: uniqueName('t') }))
      usedMs = isLive ? askedMs : performance.now()
      standing = (await store.peek(issued.credentialId, { ...LIFE, idleTimeoutMs: 300 }))?.standing ?? 'unknown'
    }
    assert.equal((await credentials.resolve(issued.token)).standing, 'idle')
    isAlive = true
    assert.equal((await credentials.resolve(issued.token)).standing, 'live')
  },
}

/**
 * What every credential store keeps to. `makeStore` is called once for each case; the store may hold what earlier cases
 * left in it. Times are real: a case takes a second at most.
 *
 * @example
 * for (const { title, run } of credentialStoreContract(() => myCredentials(database))) test(title, run)
 */
export function credentialStoreContract(
  makeStore: () => McpCredentialStore | Promise<McpCredentialStore>,
): readonly ContractCase[] {
  return Object.entries(cases).map(([title, check]) => ({
    title,
    run: async () => {
      const store = await makeStore()
      const credentials = createMcpCredentials({ store, audit: createAudit() })
      const agent = { threadId: uniqueName('thread'), providerInstanceId: uniqueName('provider') }
      try {
        await check({
          store,
          credentials,
          agent: (changes = {}) => ({ ...agent, ...changes }),
          standings: async (...issued) => {
            const found = await Promise.all(issued.map(async ({ token }) => credentials.resolve(token)))
            return found.map(({ standing }) => standing)
          },
        })
      } finally {
        await credentials.close()
      }
    },
  }))
}
