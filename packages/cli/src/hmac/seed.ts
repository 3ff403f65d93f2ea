import { randomBytes } from 'node:crypto'
import { secretsFromEnv } from '@countersign/hmac'
import { failedError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { readSecret } from '../secret-input.js'
import { requireCaller } from './generate.js'
import { handOver } from './hand-over.js'
import { withSecrets } from './secret-backend.js'
import { hasSecret, secretVariable } from './secret-variable.js'
import type { StoreChoice } from './store-options.js'

/** The options of `hmac seed`. */
export interface SeedOptions extends StoreChoice {
  readonly secretFile?: string
  readonly generate?: boolean
  readonly keyVersion?: number
  readonly ifAbsent?: boolean
  readonly out?: string
  readonly json?: boolean
}

interface Seed {
  readonly version: number
  readonly secret: string
}

/** `hmac seed`: stores the first versions of a caller. Throws when there are some, unless `--if-absent`. */
export async function seed(context: Context, options: SeedOptions, caller: string): Promise<undefined> {
  requireCaller(caller)
  const { keyVersion = 1, ifAbsent = false, json } = options
  const isMade = options.generate === true
  if (options.out !== undefined && !isMade) throw usageError('--out is for a secret that --generate makes: add it')
  await withSecrets(context, options, async (backend) => {
    const existing = await backend.list(caller)
    if (existing.length > 0) {
      const text = `"${caller}" has a secret already, version ${existing[0]?.version}`
      if (!ifAbsent) throw failedError(`${text}: use "hmac rotate" for the next version`)
      if (json) context.output.json({ caller, stored: [] })
      else context.output.line(`${text}: nothing was done`)
      return
    }
    if (isMade) {
      const secret = randomBytes(48).toString('base64')
      await backend.add(caller, keyVersion, secret)
      handOver(context, { caller, version: keyVersion, secret }, options)
      return
    }
    const seeds = await readSeeds(context, options, caller, keyVersion, backend.kind)
    for (const { version, secret } of seeds) await backend.add(caller, version, secret)
    const stored = seeds.map(({ version }) => version)
    if (json) context.output.json({ caller, stored })
    else for (const version of stored) context.output.line(`${caller}/${version}`)
  })
}

async function readSeeds(
  context: Context,
  { secretFile }: SeedOptions,
  caller: string,
  version: number,
  kind: 'postgres' | 'environment',
): Promise<readonly Seed[]> {
  const variable = secretVariable(caller)
  if (secretFile !== undefined) {
    const secret = await readSecret(context, { file: secretFile, variable, what: `the secret of "${caller}"` })
    return [{ version, secret: secret as string }]
  }
  if (kind === 'environment' || !hasSecret(context.env, caller)) {
    throw usageError(`no secret of "${caller}" is given: use --generate or --secret-file, or set ${variable}`)
  }
  const versions = await secretsFromEnv(context.env, { callers: [caller] }).list(caller)
  return versions
    .map(({ version: number, key }) => ({ version: number, secret: text(caller, key?.export()) }))
    .reverse()
}

/** A secret of the environment is a text. */
function text(caller: string, bytes: Buffer | undefined): string {
  if (bytes === undefined) throw usageError(`the secret of "${caller}" cannot be read`)
  return bytes.toString('utf8')
}
