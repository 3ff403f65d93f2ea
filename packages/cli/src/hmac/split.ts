import { randomBytes } from 'node:crypto'
import { hasEnded, isActive, SHARED_CALLER } from '@countersign/hmac/store'
import { Option } from 'commander'
import { type AllOption, addAllOption, type CommandDefinition } from '../command.js'
import { confirmAll } from '../confirm.js'
import type { Context } from '../context.js'
import { parsePositive } from '../durations.js'
import { failedError, notFoundError, usageError } from '../errors.js'
import { readSecret } from '../input.js'
import type { SecretBackend } from './secret-backend.js'
import { handOver, OUT } from './secrets.js'
import { requireCaller, secretVariable } from './variables.js'
import { addStoreOptions, type StoreChoice, withSecrets } from './with-secrets.js'

interface SplitOptions extends StoreChoice {
  readonly cutOver?: boolean
  readonly secretFile?: string
  readonly out?: string
}

/** `hmac split`: gives a caller a secret of its own beside the shared one, and ends the shared one for it. */
export const hmacSplit: CommandDefinition<SplitOptions, [caller: string]> = {
  usage: 'split <caller>',
  changesState: true,
  summary: 'give a caller its own secret in addition to the shared one',
  details:
    'Verifiers accept both for this caller until --cut-over; a caller that already had its own may use the shared one again.',
  examples: ['countersign hmac split scheduler --out scheduler.secret', 'countersign hmac split scheduler --cut-over'],
  options: (command) =>
    addStoreOptions(command)
      .addOption(new Option('--cut-over', 'end the shared secret for this caller').conflicts(['secretFile', 'out']))
      .option('--secret-file <file>', 'your own secret instead of a generated one; "-" is standard input')
      .option('--out <file>', OUT),
  async run(context, options, caller) {
    requireCaller(caller)
    if (caller === SHARED_CALLER) throw usageError(`"${SHARED_CALLER}" is what is split: name a caller`)
    if (options.secretFile !== undefined && options.out !== undefined) {
      throw usageError('--out is for a generated secret, but --secret-file provides one: remove one of them')
    }
    await withSecrets(context, options, (backend) => {
      if (options.cutOver) return cutOver(context, backend, caller, options.json)
      return split(context, backend, caller, options)
    })
  },
}

async function split(
  context: Context,
  backend: SecretBackend,
  caller: string,
  options: SplitOptions & { readonly json?: boolean },
): Promise<void> {
  const { output } = context
  const own = await backend.list(caller)
  const [newest] = own
  const now = Date.now()
  if (newest !== undefined) {
    if (own.every((secret) => hasEnded(secret, now))) {
      throw failedError(`every version of "${caller}" has ended: use "hmac rotate ${caller}" first`)
    }
    await backend.acceptShared(caller, true)
    const text = `${caller} may use the shared secret as well as its own, ${caller}/${newest.version}`
    output.result(options.json, { caller, version: newest.version, acceptsShared: true }, text)
    return
  }
  const shared = await backend.list(SHARED_CALLER)
  if (!shared.some((secret) => isActive(secret, now))) {
    throw usageError(`"${caller}" has no shared secret, "${SHARED_CALLER}": use "hmac seed ${caller}"`)
  }
  const { secretFile: file } = options
  const given =
    file === undefined
      ? undefined
      : await readSecret(context, { file, variable: secretVariable(caller), what: `the secret of "${caller}"` })
  // No version names both secrets, until one of them is rotated.
  const version = Math.max(...shared.map((secret) => secret.version)) + 1
  const secret = given ?? randomBytes(48).toString('base64')
  await backend.add(caller, version, secret, { acceptsShared: true })
  await handOver(context, { caller, version, secret: given === undefined ? secret : undefined }, options)
  output.note(
    `The shared secret is also accepted for ${caller}. After 30 s, let ${caller} sign with version ${version}; when its events ` +
      `no longer say secret=shared: countersign hmac split ${caller} --cut-over`,
  )
}

async function cutOver(
  { output }: Context,
  backend: SecretBackend,
  caller: string,
  json: boolean | undefined,
): Promise<void> {
  const own = await backend.list(caller)
  if (own.length === 0) throw notFoundError(`"${caller}" has no secret of its own: see "hmac split ${caller}"`)
  if (!own.some((secret) => secret.key !== undefined && isActive(secret, Date.now()))) {
    throw failedError(`no version of "${caller}" is active: its signers would be refused. Rotate first`)
  }
  await backend.acceptShared(caller, false)
  output.result(json, { caller, acceptsShared: false }, `the shared secret is no longer accepted for ${caller}`)
  output.note('Every process refuses it within 30 s. To undo: the same command without --cut-over.')
}

interface ForgetOptions extends StoreChoice, AllOption {
  readonly keyVersion?: number
}

/** `hmac forget`: deletes versions that were stored by mistake. */
export const hmacForget: CommandDefinition<ForgetOptions, [caller: string]> = {
  usage: 'forget <caller>',
  changesState: true,
  summary: 'delete a version that was stored by mistake',
  details:
    'If a secret has leaked, revoke the version instead: for a caller without any version, the shared secret is accepted again.',
  examples: ['countersign hmac forget scheduler --key-version 2', 'countersign hmac forget scheduler --all --yes'],
  options: (command) =>
    addAllOption(addStoreOptions(command), 'every version of the caller', 'keyVersion').option(
      '--key-version <n>',
      'the version',
      parsePositive,
    ),
  async run(context, options, caller) {
    requireCaller(caller)
    const { keyVersion, all = false, json } = options
    if (keyVersion === undefined && !all) {
      throw usageError('no version is named: give --key-version, or --all for every version')
    }
    await confirmAll(context, options, `This deletes every secret of "${caller}".`)
    await withSecrets(context, options, async (backend) => {
      const forgotten = await backend.forget(caller, keyVersion)
      if (forgotten.length === 0) {
        const what = keyVersion === undefined ? 'no version' : `no version ${keyVersion}`
        throw notFoundError(`"${caller}" has ${what}: see "hmac list"`)
      }
      context.output.result(
        json,
        { caller, forgotten },
        forgotten.map((version) => `forgot ${caller}/${version}`),
      )
      const left = await backend.list(caller)
      if (left.length === 0 && caller !== SHARED_CALLER) {
        const shared = (await backend.list(SHARED_CALLER)).some((secret) => isActive(secret, Date.now()))
        context.output.note(
          shared
            ? `${caller} has no secret of its own: the shared one is accepted for it, in every process within 30 s.`
            : `${caller} has no secret: it is refused.`,
        )
      }
    })
  },
}
