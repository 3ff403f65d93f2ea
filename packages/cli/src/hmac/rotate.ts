import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { readSecret } from '../secret-input.js'
import { requireCaller } from './generate.js'
import { handOver } from './hand-over.js'
import { withSecrets } from './secret-backend.js'
import { secretVariable } from './secret-variable.js'
import type { StoreChoice } from './store-options.js'

/** The options of `hmac rotate`. */
export interface RotateOptions extends StoreChoice {
  readonly grace?: number
  readonly pending?: boolean
  readonly secretFile?: string
  readonly out?: string
  readonly json?: boolean
}

/** `hmac rotate`: stores the next version, or puts the pending one in force. Throws for a caller that has none. */
export async function rotate(context: Context, options: RotateOptions, caller: string): Promise<undefined> {
  requireCaller(caller)
  const { grace, pending = false, secretFile, out } = options
  if (pending && grace !== undefined) {
    throw usageError('--grace has no meaning with --pending: the previous versions go on until the next rotation')
  }
  if (secretFile !== undefined && out !== undefined) {
    throw usageError('--out is for a made secret, and --secret-file gives one: keep one of them')
  }
  const secret =
    secretFile === undefined
      ? undefined
      : await readSecret(context, { file: secretFile, variable: secretVariable(caller), what: 'the new secret' })
  await withSecrets(context, options, async (backend) => {
    const [newest] = await backend.list(caller)
    if (newest === undefined) {
      throw notFoundError(`no secret of "${caller}" is stored: see "hmac list", or store its first with "hmac seed"`)
    }
    if (newest.isPending && !pending && secret !== undefined) {
      throw usageError(
        `version ${newest.version} of "${caller}" is pending: rotate without --secret-file to put it in force`,
      )
    }
    const rotated = await backend.rotate(caller, { secret, graceSeconds: grace, pending })
    handOver(context, rotated, options)
    context.output.note(nextStep(backend.kind, pending, rotated.version))
  })
}

function nextStep(kind: 'postgres' | 'environment', pending: boolean, version: number): string {
  if (kind === 'environment') {
    return `Restart the verifiers, then let the signer use version ${version}, then revoke the previous one.`
  }
  return pending
    ? `Version ${version} is pending: give it to the signer, wait 30 s, and rotate again.`
    : `Version ${version} is in force; the previous ones end after the grace.`
}
