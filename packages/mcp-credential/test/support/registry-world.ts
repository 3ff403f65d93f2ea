import { createMcpCredentials, type McpCredentialsOptions } from '@countersign/mcp-credential'
import { recordedAudit } from '../../../../test/support/audit-recorder.js'
import type { CredentialRecord, IssueOutcome, McpCredentialStore, NewCredential } from '../../src/store/port.js'

export const agent = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }
export const subject = { threadId: 't1', providerInstanceId: 'p1', providerSessionId: undefined }

export const recordOf = ({ id: credentialId, threadId, providerInstanceId }: NewCredential): CredentialRecord => ({
  credentialId,
  threadId,
  providerInstanceId,
  providerSessionId: undefined,
  capabilities: ['preview'],
  issuedAt: 1,
  expiresAt: 3,
  idleAt: 2,
})
export const issuedAs = (of: NewCredential, more: object = {}): IssueOutcome => ({
  outcome: 'issued',
  credential: recordOf(of),
  superseded: [],
  carried: [],
  ...more,
})

/** A registry on a store that does what the test says, with a note of what it was asked and what was reported. */
export function world(
  store: Partial<McpCredentialStore> = {},
  options: Omit<McpCredentialsOptions, 'store' | 'audit'> = {},
) {
  const { audit, events } = recordedAudit()
  const calls: unknown[][] = []
  const answers: Partial<McpCredentialStore> = {
    issue: async (credential, _life, accept) => {
      const outcome = issuedAs(credential)
      if (outcome.outcome === 'issued') await accept?.(outcome.credential)
      return outcome
    },
    resolve: () => undefined,
    peek: () => undefined,
    touch: () => true,
    revoke: () => true,
    revokeScope: () => true,
    retire: () => true,
    list: () => ({ credentials: [], cursor: undefined }),
    count: () => 7,
    ...store,
  }
  const noted = Object.fromEntries(
    Object.entries(answers).map(([name, value]) => [
      name,
      typeof value === 'function'
        ? (...args: unknown[]) => {
            calls.push([name, ...args])
            return (value as (...args: unknown[]) => unknown)(...args)
          }
        : value,
    ]),
  )
  const credentials = createMcpCredentials({ store: noted as unknown as McpCredentialStore, audit, ...options })
  const reported = () => events.map(({ type, credential, attributes }) => [type, credential?.id, { ...attributes }])
  return { credentials, audit, calls, events, reported, asked: () => calls.map(([name]) => name) }
}
