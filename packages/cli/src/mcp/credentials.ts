import { safeString } from '@countersign/core/gate-kit'
import { type CredentialFileForm, type McpCredentials, writeCredentialFile } from '@countersign/mcp-credential'
import type { CredentialRecord } from '@countersign/mcp-credential/store'
import { Option } from 'commander'
import { type AllOption, addAllOption, type CommandDefinition, collect } from '../command.js'
import { confirmAll } from '../confirm.js'
import { isoTime, parsePositive, parseSeconds, relativeTime } from '../durations.js'
import { failedError, fileError, usageError } from '../errors.js'
import { findCredential, unknownCredential } from './credential-id.js'
import { parseForm } from './file-form.js'
import { addRegistryOptions, type RegistryOptions, withCredentials } from './registry.js'

interface IssueOptions extends RegistryOptions {
  readonly thread: string
  readonly provider: string
  readonly providerSession?: string
  readonly capability?: readonly string[]
  readonly onExisting?: 'supersede' | 'keep' | 'carry'
  readonly overlap?: number
  readonly file?: string
  readonly form?: CredentialFileForm
}

/** `mcp issue`: issues a credential and prints its token once, or writes it to a file. */
export const mcpIssue: CommandDefinition<IssueOptions> = {
  usage: 'issue',
  changesState: true,
  summary: 'issue a credential for a thread and print its token',
  examples: [
    'countersign mcp issue --thread t-1 --provider claude-1 --capability preview --file ~/.config/app/credential.json',
  ],
  options: (command) =>
    addRegistryOptions(command)
      .requiredOption('--thread <id>', 'the thread that the agent works in')
      .requiredOption('--provider <id>', 'the agent, as the host configured it')
      .option('--provider-session <id>', "the provider's own session")
      .option('--capability <name>', 'what the agent may do; may be repeated', collect)
      .addOption(
        new Option(
          '--on-existing <how>',
          "what to do with the thread's other credentials (default: supersede)",
        ).choices(['supersede', 'keep', 'carry']),
      )
      .option('--overlap <time>', 'how long superseded credentials stay valid (default: 0s)', parseSeconds)
      .option('--file <file>', 'write the credential to this file (mode 0600) instead of printing its token')
      .option(
        '--form <form>',
        'how the file is written: headers (default), token, or env:NAME; "mcp client-config" says which one an agent reads',
        parseForm,
      ),
  async run(context, options) {
    const { thread, provider, providerSession, capability = [], onExisting, overlap, file, form, json } = options
    if (form !== undefined && file === undefined) throw usageError('--form needs --file')
    await withCredentials(context, options, async (credentials) => {
      const issued = await credentials
        .issue({
          threadId: thread,
          providerInstanceId: provider,
          providerSessionId: providerSession,
          capabilities: capability,
          onExisting,
          overlapSeconds: overlap,
        })
        .catch((error: unknown) => {
          throw refusalOf(error)
        })
      if (file !== undefined) {
        await writeCredentialFile(file, issued, form).catch(async (error: unknown) => {
          // No agent holds this credential.
          await issued.revoke()
          throw fileError(file, 'written', error)
        })
      }
      const shown = file === undefined ? { token: issued.token } : { file }
      const text = file === undefined ? issued.token : `${issued.credentialId}: the credential is in ${file}`
      context.output.result(json, { ...printed(issued, 'live'), ...shown }, text)
    })
  },
}

function refusalOf(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string }
  const isRefusal = code === 'ERR_COUNTERSIGN_THREAD_RETIRED' || code === 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS'
  return isRefusal ? failedError(String(message)) : error
}

interface ListOptions extends RegistryOptions {
  readonly thread?: string
  readonly provider?: string
  readonly limit?: number
}

/** `mcp list`: the credentials that have not ended, read page by page. */
export const mcpList: CommandDefinition<ListOptions> = {
  usage: 'list',
  summary: 'list the credentials that have not ended',
  examples: ['countersign mcp list', 'countersign mcp list --provider claude-1 --json'],
  options: (command) =>
    addRegistryOptions(command)
      .option('--thread <id>', 'of this thread')
      .option('--provider <id>', 'of this provider')
      .option('--limit <n>', 'at most this many', parsePositive),
  async run(context, options) {
    const { thread, provider, limit = Number.POSITIVE_INFINITY, json } = options
    const progress = context.output.progress('Credentials read')
    const found: ReturnType<typeof printed>[] = []
    try {
      await withCredentials(context, options, async (credentials) => {
        let cursor: string | undefined
        do {
          context.signal.throwIfAborted()
          const page = await credentials.list({ threadId: thread, providerInstanceId: provider, limit: 500, cursor })
          found.push(...page.credentials.map(({ standing, ...credential }) => printed(credential, standing)))
          cursor = page.cursor
          progress.report(found.length)
        } while (cursor !== undefined && found.length < limit)
      })
    } finally {
      progress.done()
    }
    const shown = found.slice(0, limit)
    if (json) context.output.json(shown)
    else {
      context.output.table(
        ['credential', 'standing', 'thread', 'provider', 'capabilities', 'idle', 'expires'],
        shown.map((one) => [
          ...[one.credentialId, one.standing, one.threadId, one.providerInstanceId, one.capabilities.join(' ') || '-'],
          ...[relativeTime(Date.parse(one.idleAt)), relativeTime(Date.parse(one.expiresAt))],
        ]),
      )
    }
  },
}

/** `mcp show`: one credential and its standing. */
export const mcpShow: CommandDefinition<RegistryOptions, [id: string]> = {
  usage: 'show <credential-id>',
  summary: 'show one credential and its standing',
  details: 'Audit events and "mcp list" show the id. It is not secret. A unique prefix is enough.',
  examples: ['countersign mcp show 4fT9bQ'],
  options: addRegistryOptions,
  async run(context, options, id) {
    await withCredentials(context, options, async (credentials) => {
      const { credential, standing } = await findCredential(credentials, id, context.signal)
      const described = printed(credential, standing)
      const lines = Object.entries(described)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name.padEnd(20)}${safeString([value].flat().join(' '))}`)
      context.output.result(options.json, described, lines)
    })
  },
}

interface RevokeOptions extends RegistryOptions, AllOption {
  readonly thread?: string
  readonly provider?: string
  readonly providerSession?: string
  readonly retire?: boolean
}

/** `mcp revoke`: revokes one credential, or every one of a scope. */
export const mcpRevoke: CommandDefinition<RevokeOptions, [credentialId?: string]> = {
  usage: 'revoke [credential-id]',
  changesState: true,
  summary: 'revoke one credential, or all of a thread, a provider or everyone, immediately',
  examples: [
    'countersign mcp revoke 4fT9bQ',
    'countersign mcp revoke --thread t-1 --retire',
    'countersign mcp revoke --all --yes',
  ],
  options: (command) =>
    addAllOption(addRegistryOptions(command), 'every credential')
      .option('--thread <id>', 'every credential of this thread')
      .option('--retire', 'with --thread: also refuse to issue credentials for it for 24 h')
      .option('--provider <id>', 'every credential of this provider')
      .option('--provider-session <id>', "every credential of this provider's session"),
  async run(context, options, credentialId) {
    const { scope, id: named, revoke } = targetOf(options, credentialId)
    const isAll = scope === 'all'
    await confirmAll(context, options, 'This ends every credential of every agent.')
    await withCredentials(context, options, async (credentials) => {
      const isOne = scope === 'credential'
      const id = isOne ? (await findCredential(credentials, named, context.signal)).credential.credentialId : named
      const ended = await revoke(credentials, id)
      if (!ended && isOne) throw unknownCredential()
      const words = isAll ? 'all credentials' : `${scope} ${id}`
      const text = ended ? `revoked ${words}` : `${words}: nothing to revoke`
      context.output.result(options.json, { scope, id: isAll ? undefined : id, ended }, text)
    })
  },
}

type Revoke = (credentials: McpCredentials, id: string) => Promise<boolean>

function targetOf(options: RevokeOptions, credentialId: string | undefined) {
  const { thread, provider, providerSession, all, retire = false } = options
  const targets: readonly (readonly [scope: string, id: string | undefined, revoke: Revoke])[] = [
    ['credential', credentialId, (credentials, id) => credentials.revoke(id)],
    ['thread', thread, (credentials, id) => (retire ? credentials.retire(id) : credentials.revokeThread(id))],
    ['provider', provider, (credentials, id) => credentials.revokeProvider(id)],
    ['provider-session', providerSession, (credentials, id) => credentials.revokeProviderSession(id)],
    ['all', all ? '*' : undefined, (credentials) => credentials.revokeAll()],
  ]
  const named = targets.flatMap(([scope, id, revoke]) => (id === undefined ? [] : [{ scope, id, revoke }]))
  const [only, ...others] = named
  if (only === undefined || others.length > 0) {
    throw usageError('name exactly one of: a credential id, --thread, --provider, --provider-session, --all')
  }
  if (retire && thread === undefined) throw usageError('--retire needs --thread')
  return only
}

/** A credential as it is printed, without its secret. */
function printed(credential: CredentialRecord, standing: string) {
  const { credentialId, threadId, providerInstanceId, providerSessionId, capabilities } = credential
  return {
    credentialId,
    standing,
    threadId,
    providerInstanceId,
    providerSessionId,
    capabilities,
    issuedAt: isoTime(credential.issuedAt),
    expiresAt: isoTime(credential.expiresAt),
    idleAt: isoTime(credential.idleAt),
  }
}
