import { createMcpCredentials } from '@countersign/mcp-credential'
import { describe, expect, test } from '@jest/globals'
import { world } from './support/registry-world.js'

describe('the options of a registry', () => {
  test.each([
    ['ttl', 'maximumLifetimeSeconds'],
    ['ttlSeconds', 'maximumLifetimeSeconds'],
    ['expiresIn', 'absoluteLifetimeSeconds'],
    ['idleTtlSeconds', 'idleTimeoutSeconds'],
    ['maxAgeSeconds', 'absoluteLifetimeSeconds'],
    ['tokenPrefix', 'prefix'],
  ])('%s is refused, and the message names %s', (wrong, right) => {
    expect(() => createMcpCredentials({ [wrong]: 1 } as never)).toThrow(`"${right}"`)
  })

  test.each<[string, unknown, string]>([
    ['store', {}, 'memoryCredentials()'],
    ['store', { issue: () => 1, resolve: () => 1 }, 'memoryCredentials()'],
    ['prefix', '', 'at most 7 letters and digits'],
    ['prefix', '1a', 'a letter'],
    ['prefix', 'a_b', 'letters and digits'],
    ['prefix', 'abcdefghi', 'at most 7'],
    ['isAlive', true, 'function'],
    ['livenessTimeoutMs', 0, 'from 1'],
    ['livenessTimeoutMs', 60_001, 'to 60000'],
    ['audit', {}, 'createAudit()'],
  ])('%s must not be %j, and the message says what it may be: %s', (option, value, remedy) => {
    const create = () => createMcpCredentials({ [option]: value } as never)
    expect(create).toThrow(expect.objectContaining({ option }))
    expect(create).toThrow(`createMcpCredentials: option "${option}"`)
    expect(create).toThrow(remedy)
  })

  test('have defaults: a store in memory and the prefix mcps', async () => {
    const credentials = createMcpCredentials()
    expect(credentials.prefix).toBe('mcps')
    expect(credentials.store.resolve).toBeInstanceOf(Function)
    await credentials.close()
    for (const livenessTimeoutMs of [1, 60_000])
      expect(world({}, { livenessTimeoutMs }).credentials.prefix).toBe('mcps')
    expect(world({}, { prefix: 'abcdefg1' }).credentials.prefix).toBe('abcdefg1')
  })
})
