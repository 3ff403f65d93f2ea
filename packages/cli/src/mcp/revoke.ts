import type { McpCredentials } from '@countersign/mcp-credential'
import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import type { RegistryOptions } from './registry-options.js'
import { NOT_THERE, notAnId } from './show.js'
import { withCredentials } from './with-credentials.js'

/** The options of `mcp revoke`. */
export interface RevokeCommandOptions extends RegistryOptions {
  readonly thread?: string
  readonly provider?: string
  readonly providerSession?: string
  readonly all?: boolean
  readonly retire?: boolean
  readonly json?: boolean
}

/** What is ended, and how; exactly one of them is to be named. */
interface Target {
  readonly scope: 'credential' | 'thread' | 'provider' | 'provider-session' | 'all'
  readonly id: string
  end(credentials: McpCredentials): Promise<boolean>
}

/** `mcp revoke`: ends one credential, or every one of a scope. Throws when the one that is named is not there. */
export async function revokeCredentials(
  context: Context,
  options: RevokeCommandOptions,
  id: string | undefined,
): Promise<undefined> {
  const target = targetOf(options, id)
  await withCredentials(context, options, async (credentials) => {
    if (target.scope === 'credential' && (await credentials.check(target.id)).standing === 'malformed') {
      throw notAnId(target.id)
    }
    const ended = await target.end(credentials)
    if (!ended && target.scope === 'credential') throw notFoundError(NOT_THERE)
    const { scope } = target
    if (options.json) context.output.json({ scope, ...(scope === 'all' ? {} : { id: target.id }), ended })
    else {
      const words = scope === 'all' ? 'all credentials' : `${scope} ${target.id}`
      context.output.line(ended ? `revoked ${words}` : `${words}: there was nothing to revoke`)
    }
  })
}

function targetOf(options: RevokeCommandOptions, id: string | undefined): Target {
  const { thread, provider, providerSession, all, retire } = options
  const named: Target[] = [
    ...(id === undefined ? [] : [target('credential', id, (credentials) => credentials.revoke(id))]),
    ...(thread === undefined
      ? []
      : [target('thread', thread, (one) => (retire ? one.retire(thread) : one.revokeThread(thread)))]),
    ...(provider === undefined ? [] : [target('provider', provider, (one) => one.revokeProvider(provider))]),
    ...(providerSession === undefined
      ? []
      : [target('provider-session', providerSession, (one) => one.revokeProviderSession(providerSession))]),
    ...(all ? [target('all', '*', (one) => one.revokeAll())] : []),
  ]
  const [only, ...others] = named
  if (only === undefined || others.length > 0) {
    throw usageError('name exactly one of: a credential id, --thread, --provider, --provider-session, --all')
  }
  if (retire && thread === undefined) throw usageError('--retire is for a thread: add --thread')
  return only
}

const target = (scope: Target['scope'], id: string, end: Target['end']): Target => ({ scope, id, end })
