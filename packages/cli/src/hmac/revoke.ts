import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { requireCaller } from './generate.js'
import { withSecrets } from './secret-backend.js'
import type { StoreChoice } from './store-options.js'

/** The options of `hmac revoke`. */
export interface RevokeOptions extends StoreChoice {
  readonly keyVersion?: number
  readonly all?: boolean
  readonly json?: boolean
}

/** `hmac revoke`: ends one version, or all. Throws when there is none. */
export async function revoke(context: Context, options: RevokeOptions, caller: string): Promise<undefined> {
  requireCaller(caller)
  const { keyVersion, all = false, json } = options
  if (keyVersion === undefined && !all) {
    throw usageError('which version is to be revoked? Give --key-version, or --all for every one')
  }
  await withSecrets(context, options, async (backend) => {
    const stored = await backend.list(caller)
    if (stored.length === 0) throw notFoundError(`no secret of "${caller}" is stored: see "hmac list"`)
    const wanted = all
      ? stored.filter(({ revokedAt }) => revokedAt === undefined).map(({ version }) => version)
      : [keyVersion as number]
    const revoked: number[] = []
    for (const version of wanted) if (await backend.revoke(caller, version)) revoked.push(version)
    if (!all && revoked.length === 0) {
      const known = stored.map(({ version }) => version).join(', ')
      throw notFoundError(`"${caller}" has no version ${keyVersion}: it has ${known}`)
    }
    if (json) context.output.json({ caller, revoked })
    else for (const version of revoked) context.output.line(`revoked ${caller}/${version}`)
    const reach = backend.kind === 'postgres' ? 'It counts within 30 s in every process.' : 'It counts after a restart.'
    context.output.note(revoked.length === 0 ? 'Every version was revoked already.' : reach)
  })
}
