import type { Context } from '../context.js'
import { relativeTime } from '../durations.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { describeCredential } from './describe-credential.js'
import type { RegistryOptions } from './registry-options.js'
import { withCredentials } from './with-credentials.js'

/** The options of `mcp list`. */
export interface ListCommandOptions extends RegistryOptions {
  readonly thread?: string
  readonly provider?: string
  readonly limit?: number
  readonly json?: boolean
}

type Listed = ReturnType<typeof describeCredential>

/** `mcp list`: the credentials that are not ended, page after page. */
export async function listCredentials(context: Context, options: ListCommandOptions): Promise<ExitCode> {
  const { thread, provider, limit = Number.POSITIVE_INFINITY, json } = options
  const filter = {
    ...(thread === undefined ? {} : { threadId: thread }),
    ...(provider === undefined ? {} : { providerInstanceId: provider }),
  }
  const progress = context.output.progress('Credentials read')
  const listed: Listed[] = []
  try {
    await withCredentials(context, options, async (credentials) => {
      let cursor: string | undefined
      do {
        context.signal.throwIfAborted()
        const page = await credentials.list({ ...filter, limit: 500, ...(cursor === undefined ? {} : { cursor }) })
        for (const { standing, ...credential } of page.credentials)
          listed.push(describeCredential(credential, standing))
        cursor = page.cursor
        progress.report(listed.length)
      } while (cursor !== undefined && listed.length < limit)
    })
  } finally {
    progress.done()
  }
  const shown = listed.slice(0, limit)
  if (json) context.output.json(shown)
  else {
    context.output.table(
      ['credential', 'standing', 'thread', 'provider', 'capabilities', 'idle', 'expires'],
      shown.map((one) => [
        one.credentialId,
        one.standing,
        one.threadId,
        one.providerInstanceId,
        one.capabilities.join(' ') || '-',
        relativeTime(Date.parse(one.idleAt)),
        relativeTime(Date.parse(one.expiresAt)),
      ]),
    )
  }
  return exitCodes.ok
}
