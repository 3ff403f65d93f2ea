import { type AuditEvent, createAudit, UnavailableError } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { agent, mcpApp, send, withOtherSecret } from './harness.js'

test('each change of state is one event, and each decision is one', async () => {
  const app = await mcpApp()
  const { credentials, events } = app
  const first = await credentials.issue(agent)
  const second = await credentials.issue(agent)
  await second.revoke()
  await second.revoke()
  await credentials.revokeThread('t1')
  await credentials.revokeProvider('p1')
  await credentials.retire('t1')
  const issued = { thread_id: 't1', provider_instance_id: 'p1', capabilities: 'preview', existing: 'supersede' }
  expect(events.map(({ type, credential, attributes }) => [type, credential?.id, { ...attributes }])).toEqual([
    ['mcp.credential.issued', first.credentialId, issued],
    ['mcp.credential.issued', second.credentialId, issued],
    ['mcp.credential.superseded', first.credentialId, { by: second.credentialId }],
    ['mcp.credential.revoked', second.credentialId, {}],
    ['mcp.scope.revoked', undefined, { scope: 'thread', id: 't1', found: true }],
    ['mcp.scope.revoked', undefined, { scope: 'provider', id: 'p1', found: true }],
    ['mcp.thread.retired', undefined, { thread_id: 't1' }],
  ])
  events.length = 0
  await send(app.port)
  await send(app.port, { authorization: first.authorizationHeader })
  expect(events.map(({ type, reason, principal, http }) => [type, reason, principal?.id, http?.status])).toEqual([
    ['access.denied', 'missing', 'unknown', 401],
    ['access.denied', 'revoked', first.credentialId, 401],
  ])
  await app.close()
})

test('the event of a revocation names who asked for it, and nothing is revoked for a wrong name', async () => {
  const { credentials, events, close } = await mcpApp()
  const operator = 'ops:ana'
  const { credentialId } = await credentials.issue(agent)
  const issued = await credentials.issue({ ...agent, threadId: 't2' })
  await expect(issued.revoke({ operator: '' })).rejects.toMatchObject({ option: 'operator' })
  await expect(credentials.revoke(credentialId, { operator: '' })).rejects.toMatchObject({ option: 'operator' })
  await expect(credentials.revokeThread('t1', { operator: 'a\nb' })).rejects.toMatchObject({ option: 'operator' })
  await expect(credentials.retire('t1', { operator: 'a\u0000' })).rejects.toMatchObject({ option: 'operator' })
  expect(await credentials.check(credentialId)).toMatchObject({ standing: 'live' })
  events.length = 0
  await credentials.revoke(credentialId, { operator })
  await issued.revoke({ operator })
  await credentials.revokeThread('t1', { operator })
  await credentials.revokeProvider('p1', { operator })
  await credentials.revokeProviderSession('s1', { operator })
  await credentials.revokeAll({ operator })
  await credentials.retire('t1', { operator })
  expect(events.map(({ type, attributes }) => [type, attributes?.operator])).toEqual([
    ['mcp.credential.revoked', operator],
    ['mcp.credential.revoked', operator],
    ...['thread', 'provider', 'session', 'all'].map(() => ['mcp.scope.revoked', operator]),
    ['mcp.thread.retired', operator],
  ])
  await close()
})

test('each decision of the verifier for the MCP SDK is one event, an outage and a bug included', async () => {
  let failure: Error | undefined
  const wrapStore = (store: McpCredentialStore): McpCredentialStore => ({
    ...store,
    resolve: (...args) => {
      if (failure !== undefined) throw failure
      return store.resolve(...args)
    },
  })
  const { credentials, close } = await mcpApp({ wrapStore })
  const { audit, events } = recordedAudit()
  const verifier = asOAuthTokenVerifier(requireMcpCredential({ credentials, audit, bindSessions: false }))
  const { token, credentialId, revoke } = await credentials.issue(agent).then((issued) => ({
    token: issued.token,
    credentialId: issued.credentialId,
    revoke: () => issued.revoke(),
  }))
  expect(await verifier.verifyAccessToken(token)).toMatchObject({ token: credentialId, clientId: 'p1' })
  const refused = { code: 'invalid_token', message: 'The credential is not valid' }
  for (const wrong of ['junk', undefined as unknown as string, withOtherSecret(token)]) {
    await expect(verifier.verifyAccessToken(wrong)).rejects.toMatchObject(refused)
  }
  await revoke()
  await expect(verifier.verifyAccessToken(token)).rejects.toThrow('The app has ended this session.')
  failure = new UnavailableError('test', 'down')
  await expect(verifier.verifyAccessToken(token)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  failure = new SyntaxError('a garbled answer')
  await expect(verifier.verifyAccessToken(token)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  failure = new ReferenceError('bug')
  await expect(verifier.verifyAccessToken(token)).rejects.toThrow('bug')
  expect(
    events.map(({ type, reason, principal, credential }) => [type, reason, principal?.id, credential?.id]),
  ).toEqual([
    ['access.granted', undefined, credentialId, credentialId],
    ['access.denied', 'malformed', 'unknown', undefined],
    ['access.denied', 'malformed', 'unknown', undefined],
    ['access.denied', 'wrong_secret', 'unknown', credentialId],
    ['access.denied', 'revoked', credentialId, credentialId],
    ['access.unavailable', 'credential_store', 'unknown', undefined],
    ['access.unavailable', 'credential_store', 'unknown', undefined],
    ['access.unavailable', 'internal_error', 'unknown', undefined],
  ])
  await close()
})

test('the verifier for the MCP SDK refuses a grant that a required sink did not record', async () => {
  const { credentials, close } = await mcpApp()
  const audit = createAudit()
  const told: AuditEvent[] = []
  audit.subscribe((event) => void told.push(event))
  audit.subscribe(
    () => {
      throw new Error('the disk is full')
    },
    { required: true },
  )
  const verifier = asOAuthTokenVerifier(requireMcpCredential({ credentials, audit, bindSessions: false }))
  const { token } = await credentials.issue(agent)
  await expect(verifier.verifyAccessToken(token)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  expect(told.filter(({ type }) => type.startsWith('access.'))).toMatchObject([
    { type: 'access.unavailable', reason: 'audit_sink' },
  ])
  await close()
})

test('asOAuthTokenVerifier throws for a gate whose demands need the request', async () => {
  const { credentials, close } = await mcpApp()
  const of = (options: object) => () => asOAuthTokenVerifier(requireMcpCredential({ credentials, ...options }))
  const code = expect.objectContaining({ code: 'ERR_COUNTERSIGN_REQUEST_NEEDED' })
  expect(of({})).toThrow(code)
  expect(of({})).toThrow('bindSessions')
  expect(of({ tools: { a: 'b' }, bindSessions: false })).toThrow(code)
  expect(of({ tools: { a: 'b' } })).toThrow('tools')
  expect(of({ bindSessions: false })).not.toThrow()
  await close()
})

test('lifetimes are seconds, fractions allowed, and an idle timeout beyond the maximum is refused', async () => {
  const { credentials, pass, close } = await mcpApp({
    registry: { idleTimeoutSeconds: 0.5, maximumLifetimeSeconds: 1.5, absoluteLifetimeSeconds: 60 },
  })
  const issued = await credentials.issue(agent)
  expect([issued.expiresAt - issued.issuedAt, issued.idleAt - issued.issuedAt]).toEqual([1500, 550])
  const next = await credentials.issue({ ...agent, overlapSeconds: 0.25 })
  const standing = async () => [(await credentials.resolve(issued.token)).standing, next.supersededIds.length]
  expect(await standing()).toEqual(['live', 1])
  pass(251)
  expect(await standing()).toEqual(['superseded', 1])
  await credentials.retire('t1', { blockSeconds: 0.1 })
  await expect(credentials.issue(agent)).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_THREAD_RETIRED',
    message: expect.stringMatching(/\. See \S+\/errors\/ERR_COUNTERSIGN_THREAD_RETIRED$/),
  })
  pass(101)
  expect((await credentials.issue(agent)).threadId).toBe('t1')
  expect(() => createMcpCredentials({ idleTimeoutSeconds: 61, maximumLifetimeSeconds: 60 })).toThrow(
    expect.objectContaining({ option: 'idleTimeoutSeconds' }),
  )
  expect(() => createMcpCredentials({ idleTimeoutMs: 1 } as never)).toThrow('unknown option "idleTimeoutMs"')
  await close()
})

test('wrong input to the registry is refused with the option’s name', async () => {
  const { credentials, close } = await mcpApp()
  const wrong = (options: object) => credentials.issue({ ...agent, ...options })
  await expect(wrong({ threadId: '' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_OPTION_INVALID',
    option: 'threadId',
  })
  await expect(wrong({ threadId: 'a\nb' })).rejects.toMatchObject({ option: 'threadId' })
  await expect(wrong({ capabilities: ['a b'] })).rejects.toMatchObject({ option: 'capabilities' })
  await expect(wrong({ onExisting: 'replace' })).rejects.toMatchObject({ option: 'onExisting' })
  await expect(wrong({ thread: 't' })).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN' })
  await expect(credentials.revokeThread('')).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' })
  await expect(credentials.touch('')).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_OPTION_INVALID' })
  expect(await credentials.revoke('none')).toBe(false)
  expect(await credentials.revoke('__proto__')).toBe(false)
  await close()
})
