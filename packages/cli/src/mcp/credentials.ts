import { safeString } from '@countersign/core/gate-kit'
import { type McpCredentials, writeCredentialFile } from '@countersign/mcp-credential'
import type { JsonOption } from '../command.js'
import type { Context } from '../context.js'
import { relativeTime } from '../durations.js'
import { type CommandError, failedError, fileError, notFoundError, usageError } from '../errors.js'
import { type PrintedCredential, printed, type RegistryOptions, withCredentials } from './registry.js'

/** The options of `mcp issue`. */
export interface IssueOptions extends RegistryOptions {
  readonly thread: string
  readonly provider: string
  readonly providerSession?: string
  readonly capability?: readonly string[]
  readonly onExisting?: 'supersede' | 'keep' | 'carry'
  readonly overlap?: number
  readonly file?: string
}

/** `mcp issue`: issues a credential and prints its token once, or writes it to a file. */
export async function issue(context: Context, options: IssueOptions & JsonOption): Promise<undefined> {
  const { thread, provider, providerSession, capability = [], onExisting, overlap, file, json } = options
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
      await writeCredentialFile(file, issued).catch(async (error: unknown) => {
        // Nobody has this credential.
        await issued.revoke()
        throw fileError(file, 'written', error)
      })
    }
    const shown = file === undefined ? { token: issued.token } : { file }
    if (json) context.output.json({ ...printed(issued, 'live'), ...shown })
    else context.output.line(file === undefined ? issued.token : `${issued.credentialId}: the credential is in ${file}`)
  })
}

function refusalOf(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string }
  const isRefusal = code === 'ERR_COUNTERSIGN_THREAD_RETIRED' || code === 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS'
  return isRefusal ? failedError(String(message)) : error
}

/** The options of `mcp list`. */
export interface ListOptions extends RegistryOptions {
  readonly thread?: string
  readonly provider?: string
  readonly limit?: number
}

/** `mcp list`: the credentials that have not ended, read page by page. */
export async function listCredentials(context: Context, options: ListOptions & JsonOption): Promise<undefined> {
  const { thread, provider, limit = Number.POSITIVE_INFINITY, json } = options
  const progress = context.output.progress('Credentials read')
  const found: PrintedCredential[] = []
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
}

/** `mcp show`: one credential and its standing. */
export async function show(context: Context, options: RegistryOptions & JsonOption, id: string): Promise<undefined> {
  await withCredentials(context, options, async (credentials) => {
    const found = await credentials.check(id)
    if (found.standing === 'malformed') throw malformedId(id)
    if (found.credential === undefined) throw unknownCredential()
    const described = printed(found.credential, found.standing)
    if (options.json) return context.output.json(described)
    for (const [name, value] of Object.entries(described)) {
      if (value === undefined) continue
      const text = Array.isArray(value) ? value.join(' ') : String(value)
      context.output.line(`${name.padEnd(20)}${safeString(text)}`)
    }
  })
}

/** The options of `mcp revoke`. */
export interface RevokeOptions extends RegistryOptions {
  readonly thread?: string
  readonly provider?: string
  readonly providerSession?: string
  readonly all?: boolean
  readonly retire?: boolean
}

type Revoke = (credentials: McpCredentials, id: string) => Promise<boolean>

/** `mcp revoke`: revokes one credential, or every one of a scope. */
export async function revokeCredentials(
  context: Context,
  options: RevokeOptions & JsonOption,
  credentialId?: string,
): Promise<undefined> {
  const { scope, id, revoke } = targetOf(options, credentialId)
  await withCredentials(context, options, async (credentials) => {
    if (scope === 'credential' && (await credentials.check(id)).standing === 'malformed') throw malformedId(id)
    const ended = await revoke(credentials, id)
    if (!ended && scope === 'credential') throw unknownCredential()
    if (options.json) return context.output.json({ scope, ...(scope === 'all' ? {} : { id }), ended })
    const words = scope === 'all' ? 'all credentials' : `${scope} ${id}`
    context.output.line(ended ? `revoked ${words}` : `${words}: nothing to revoke`)
  })
}

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

function unknownCredential(): CommandError {
  return notFoundError('there is no such credential: it was never issued, or ended some time ago; see "mcp list"')
}

/** Does not repeat the text, which may be a token. */
function malformedId(text: string): CommandError {
  return usageError(
    text.split('_').length >= 3
      ? 'this is a token, not an id: the id is the part between the first and the second "_". Revoke the token: every user of the machine can read the command line'
      : 'this is not the id of a credential: "mcp list" and the audit show the ids',
  )
}
