import type { HmacSecretVersion } from '@countersign/hmac'
import { notFoundError } from '../command-error.js'
import type { Context } from '../context.js'
import { isoTime } from '../durations.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { requireCaller } from './generate.js'
import { foreignKeks, type PostgresBackend, unreadableText } from './postgres-backend.js'
import { withSecrets } from './secret-backend.js'
import type { StoreChoice } from './store-options.js'

/** The options of `hmac list`. */
export interface ListOptions extends StoreChoice {
  readonly json?: boolean
}

/** What a version is worth now. */
export type SecretState = 'active' | 'pending' | 'not yet' | 'expired' | 'revoked' | 'unreadable'

/** What a version is worth at a moment. A pending one verifies already, and is not yet to be signed with. */
export function stateOf(secret: HmacSecretVersion, now: number): SecretState {
  if (secret.revokedAt !== undefined) return 'revoked'
  if (secret.expiresAt !== undefined && secret.expiresAt <= now) return 'expired'
  if (secret.key === undefined) return 'unreadable'
  if (secret.isPending) return 'pending'
  return secret.notBefore > now ? 'not yet' : 'active'
}

/** `hmac list`: versions and until when they count, never secrets. Ends with 2 when some do not open with this ring. */
export async function list(context: Context, options: ListOptions, caller: string | undefined): Promise<ExitCode> {
  requireCaller(caller)
  return withSecrets(context, options, async (backend) => {
    const secrets = await backend.list(caller)
    if (caller !== undefined && secrets.length === 0) {
      throw notFoundError(`no secret of "${caller}" is stored: "hmac list" without a caller shows whose are`)
    }
    const now = Date.now()
    const rows = secrets.map((secret) => ({ ...describe(secret, backend.kind), state: stateOf(secret, now) }))
    if (options.json) context.output.json(rows)
    else {
      context.output.table(
        ['caller', 'version', 'state', 'created', 'expires'],
        rows.map((row) => [row.caller, row.version, row.state, row.createdAt, row.expiresAt]),
      )
    }
    const foreign = backend.kind === 'postgres' ? await foreignKeks(backend as PostgresBackend) : []
    if (foreign.length === 0) return exitCodes.ok
    context.output.note(`countersign: ${unreadableText(foreign)}`)
    return exitCodes.usage
  })
}

function describe({ caller, version, createdAt, expiresAt, revokedAt }: HmacSecretVersion, kind: string) {
  return {
    caller,
    version,
    // The environment keeps no dates.
    ...(kind === 'postgres' ? { createdAt: isoTime(createdAt) } : {}),
    ...(expiresAt === undefined ? {} : { expiresAt: isoTime(expiresAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: isoTime(revokedAt) }),
  }
}
