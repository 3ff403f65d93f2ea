import { expect, test } from '@jest/globals'
import { agent, mcpApp, send } from './harness.js'

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
  expect(events.map(({ type, credential, attributes }) => [type, credential?.id, { ...attributes }])).toEqual([
    ['mcp.credential.issued', first.credentialId, { threadId: 't1', providerInstanceId: 'p1', carried: 0 }],
    ['mcp.credential.issued', second.credentialId, { threadId: 't1', providerInstanceId: 'p1', carried: 0 }],
    ['mcp.credential.superseded', first.credentialId, { by: second.credentialId }],
    ['mcp.credential.revoked', second.credentialId, {}],
    ['mcp.scope.revoked', undefined, { scope: 'thread', id: 't1', found: true }],
    ['mcp.scope.revoked', undefined, { scope: 'provider', id: 'p1', found: true }],
    ['mcp.thread.retired', undefined, { threadId: 't1' }],
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

test('wrong input to the registry is refused with the option’s name', async () => {
  const { credentials, close } = await mcpApp()
  const wrong = (options: object) => credentials.issue({ ...agent, ...options })
  await expect(wrong({ threadId: '' })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', option: 'threadId' })
  await expect(wrong({ threadId: 'a\nb' })).rejects.toMatchObject({ option: 'threadId' })
  await expect(wrong({ capabilities: ['a b'] })).rejects.toMatchObject({ option: 'capabilities' })
  await expect(wrong({ onExisting: 'replace' })).rejects.toMatchObject({ option: 'onExisting' })
  await expect(wrong({ thread: 't' })).rejects.toMatchObject({ code: 'ERR_OPTION_UNKNOWN' })
  await expect(credentials.revokeThread('')).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  await expect(credentials.touch('')).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  expect(await credentials.revoke('none')).toBe(false)
  expect(await credentials.revoke('__proto__')).toBe(false)
  await close()
})
