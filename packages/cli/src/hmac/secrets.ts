import { randomBytes } from 'node:crypto'
import { secretsFromEnv } from '@countersign/hmac'
import { type HmacSecretVersion, hasEnded, isActive, SHARED_CALLER } from '@countersign/hmac/store'
import { Option } from 'commander'
import { type AllOption, addAllOption, type CommandDefinition, type JsonOption } from '../command.js'
import { confirmAll } from '../confirm.js'
import type { Context } from '../context.js'
import { isoTime, parsePositive, parseSeconds } from '../durations.js'
import { exitCodes, failedError, notFoundError, usageError } from '../errors.js'
import { readSecret } from '../input.js'
import { writePrivateText } from '../private-file.js'
import { type PostgresBackend, unreadableText } from './postgres-backend.js'
import type { SecretBackend } from './secret-backend.js'
import { hasSecret, requireCaller, secretVariable } from './variables.js'
import { addStoreOptions, type StoreChoice, withSecrets } from './with-secrets.js'

/** The help of an option that writes a generated secret. */
export const OUT = 'write the generated secret to this file (mode 0600) instead of printing it'

interface SeedOptions extends StoreChoice {
  readonly secretFile?: string
  readonly generate?: boolean
  readonly keyVersion?: number
  readonly ifAbsent?: boolean
  readonly withoutShared?: boolean
  readonly out?: string
}

/** `hmac seed`: stores the first versions of a caller. */
export const hmacSeed: CommandDefinition<SeedOptions, [caller: string]> = {
  usage: 'seed <caller>',
  changesState: true,
  summary: "store a caller's first secret",
  details:
    'It comes from --secret-file, is generated with --generate, or is read from the environment, which moves it into ' +
    'PostgreSQL.',
  examples: [
    'countersign hmac seed scheduler --generate --out scheduler.secret',
    'COUNTERSIGN_HMAC_SECRET_SCHEDULER=… countersign hmac seed scheduler --if-absent',
  ],
  options: (command) =>
    addStoreOptions(command)
      .addOption(new Option('--secret-file <file>', 'the secret; "-" is standard input').conflicts('generate'))
      .option('--generate', 'generate a secret')
      .option('--key-version <n>', 'its version (default: 1)', parsePositive)
      .option('--if-absent', 'do nothing when the caller has a secret already')
      .option('--without-shared', 'end the shared secret for this caller immediately: see "hmac split"')
      .option('--out <file>', OUT),
  async run(context, options, caller) {
    requireCaller(caller)
    const { keyVersion = 1, generate = false, ifAbsent = false, out, json } = options
    if (out !== undefined && !generate) throw usageError('--out needs --generate')
    await withSecrets(context, options, async (backend) => {
      const [newest] = await backend.list(caller)
      if (newest !== undefined) {
        const text = `"${caller}" already has a secret, version ${newest.version}`
        if (!ifAbsent) throw failedError(`${text}: use "hmac rotate" for the next version`)
        context.output.result(json, { caller, stored: [] }, `${text}: nothing was done`)
        return
      }
      if (!options.withoutShared) await requireNoShared(backend, caller)
      if (generate) {
        const secret = randomBytes(48).toString('base64')
        await backend.add(caller, keyVersion, secret)
        await handOver(context, { caller, version: keyVersion, secret }, options)
        return
      }
      const seeds = await readSeeds(context, options, caller, backend.kind)
      for (const { version, secret } of seeds) await backend.add(caller, version, secret)
      const stored = seeds.map(({ version }) => version)
      const lines = stored.map((version) => `${caller}/${version}`)
      context.output.result(json, { caller, stored }, lines)
    })
  },
}

/** A secret of its own ends the shared one for a caller: its signers would be refused at once. @throws {CommandError} */
async function requireNoShared(backend: SecretBackend, caller: string): Promise<void> {
  const shared = caller === SHARED_CALLER ? [] : await backend.list(SHARED_CALLER)
  if (!shared.some((secret) => isActive(secret, Date.now()))) return
  throw usageError(
    `"${caller}" uses the shared secret, which its own secret would end immediately: use "hmac split ${caller}", which keeps ` +
      'both, or pass --without-shared',
  )
}

interface Seed {
  readonly version: number
  readonly secret: string
}

async function readSeeds(
  context: Context,
  { secretFile, keyVersion = 1 }: SeedOptions,
  caller: string,
  kind: SecretBackend['kind'],
): Promise<readonly Seed[]> {
  const variable = secretVariable(caller)
  if (secretFile !== undefined) {
    const secret = await readSecret(context, { file: secretFile, variable, what: `the secret of "${caller}"` })
    return [{ version: keyVersion, secret: secret as string }]
  }
  if (kind === 'environment' || !hasSecret(context.env, caller)) {
    throw usageError(`no secret of "${caller}" is given: use --generate or --secret-file, or set ${variable}`)
  }
  const versions = await secretsFromEnv(context.env, { callers: [caller] }).list(caller)
  return versions
    .flatMap(({ version, key }) => (key === undefined ? [] : [{ version, secret: key.export().toString('utf8') }]))
    .reverse()
}

interface RotateOptions extends StoreChoice {
  readonly grace?: number
  readonly pending?: boolean
  readonly secretFile?: string
  readonly out?: string
}

/** `hmac rotate`: stores the next version, or activates the pending one. */
export const hmacRotate: CommandDefinition<RotateOptions, [caller: string]> = {
  usage: 'rotate <caller>',
  changesState: true,
  summary: "store the next version of a caller's secret and print it",
  details: 'The previous versions stay valid for the grace. The next rotation activates a pending version.',
  examples: ['countersign hmac rotate scheduler --pending', 'countersign hmac rotate scheduler --grace 24h'],
  options: (command) =>
    addStoreOptions(command)
      .option('--grace <time>', 'how long the previous versions stay valid (default: 24h)', parseSeconds)
      .option('--pending', 'let verifiers accept it first, while signers use the previous version')
      .option('--secret-file <file>', 'your own secret instead of a generated one; "-" is standard input')
      .option('--out <file>', OUT),
  async run(context, options, caller) {
    requireCaller(caller)
    const { grace, pending = false, secretFile, out } = options
    if (pending && grace !== undefined) {
      throw usageError('--grace has no effect with --pending: the previous versions stay valid until the next rotation')
    }
    if (secretFile !== undefined && out !== undefined) {
      throw usageError('--out is for a generated secret, but --secret-file provides one: remove one of them')
    }
    const secret =
      secretFile === undefined
        ? undefined
        : await readSecret(context, { file: secretFile, variable: secretVariable(caller), what: 'the new secret' })
    return withSecrets(context, options, async (backend) => {
      const [newest] = await backend.list(caller)
      if (newest === undefined) {
        throw notFoundError(`no secret of "${caller}" is stored: see "hmac list", or store its first with "hmac seed"`)
      }
      if (newest.isPending && !pending && secret !== undefined) {
        throw usageError(
          `version ${newest.version} of "${caller}" is pending: rotate without --secret-file to activate it`,
        )
      }
      const rotated = await backend.rotate(caller, { secret, graceSeconds: grace, pending })
      await handOver(context, rotated, options)
      if (rotated.previous === undefined) {
        context.output.note(nextStep(backend.kind, pending, rotated.version))
        return exitCodes.ok
      }
      context.output.note(
        `countersign: version ${rotated.version} is active, but PostgreSQL did not say whether the previous ones got ` +
          'an expiry: see "hmac list", and revoke those without one when every signer has the new version',
      )
      return exitCodes.unavailable
    })
  },
}

function nextStep(kind: SecretBackend['kind'], pending: boolean, version: number): string {
  if (kind === 'environment') {
    return `Restart the verifiers, then let the signer use version ${version}, then revoke the previous one.`
  }
  return pending
    ? `Version ${version} is pending: give it to the signer, wait 30 s, and rotate again.`
    : `Version ${version} is active; the previous ones expire after the grace.`
}

/** Prints a generated secret, or writes it to a file with mode 0600. */
export async function handOver(
  { output }: Context,
  { caller, version, secret }: { caller: string; version: number; secret: string | undefined },
  { out, json }: { readonly out?: string } & JsonOption,
): Promise<void> {
  if (secret !== undefined && out !== undefined) await writePrivateText(out, `${secret}\n`)
  const shown = out === undefined ? secret : undefined
  const text = shown ?? `${caller}/${version}${out === undefined ? '' : `: the secret is in ${out}`}`
  output.result(json, { caller, version, secret: shown, file: out }, text)
}

interface RevokeOptions extends StoreChoice, AllOption {
  readonly keyVersion?: number
}

/** `hmac revoke`: revokes one version of a caller, or all. */
export const hmacRevoke: CommandDefinition<RevokeOptions, [caller: string]> = {
  usage: 'revoke <caller>',
  changesState: true,
  summary: "revoke a version of a caller's secret, immediately",
  details: 'Every process refuses it within 30 s.',
  examples: ['countersign hmac revoke scheduler --key-version 3', 'countersign hmac revoke scheduler --all --yes'],
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
    await confirmAll(context, options, `This ends every secret of "${caller}".`)
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
      const lines = revoked.map((version) => `revoked ${caller}/${version}`)
      context.output.result(json, { caller, revoked }, lines)
      const effect =
        backend.kind === 'postgres' ? 'Every process refuses it within 30 s.' : 'Verifiers refuse it after a restart.'
      context.output.note(revoked.length === 0 ? 'Every version was already revoked.' : effect)
    })
  },
}

/** The state of a version. Verifiers accept a pending version; signers must not use it yet. */
export type SecretState = 'active' | 'pending' | 'not yet' | 'expired' | 'revoked' | 'unreadable'

/** The state of a version at a moment, in milliseconds since the epoch. */
export function stateOf(secret: HmacSecretVersion, now: number): SecretState {
  if (hasEnded(secret, now)) return secret.revokedAt === undefined ? 'expired' : 'revoked'
  if (secret.key === undefined) return 'unreadable'
  if (secret.isPending) return 'pending'
  return isActive(secret, now) ? 'active' : 'not yet'
}

/** `hmac list`: versions and their states, never secrets. Exit code 2 when the ring does not decrypt all of them. */
export const hmacList: CommandDefinition<StoreChoice, [caller?: string]> = {
  usage: 'list [caller]',
  summary: 'list callers, versions, states and expiry times',
  details: 'Secrets are never shown.',
  examples: ['countersign hmac list', 'countersign hmac list scheduler --json'],
  options: addStoreOptions,
  async run(context, options, caller) {
    requireCaller(caller)
    return withSecrets(context, options, async (backend) => {
      const secrets = await backend.list(caller)
      if (caller !== undefined && secrets.length === 0) {
        throw notFoundError(`no secret of "${caller}" is stored: "hmac list" without a caller lists all callers`)
      }
      const now = Date.now()
      const time = (ms: number | undefined) => (ms === undefined ? undefined : isoTime(ms))
      const rows = secrets.map((secret) => ({
        caller: secret.caller,
        version: secret.version,
        // The environment holds no dates.
        createdAt: backend.kind === 'postgres' ? time(secret.createdAt) : undefined,
        expiresAt: time(secret.expiresAt),
        revokedAt: time(secret.revokedAt),
        state: stateOf(secret, now),
        acceptsShared: secret.acceptsShared === true ? true : undefined,
      }))
      if (options.json) context.output.json(rows)
      else {
        context.output.table(
          ['caller', 'version', 'state', 'created', 'expires'],
          rows.map((row) => [row.caller, row.version, row.state, row.createdAt, row.expiresAt]),
        )
      }
      const both = new Set(secrets.flatMap((secret) => (secret.acceptsShared ? [secret.caller] : [])))
      for (const name of both) {
        context.output.note(`The shared secret is also accepted for ${name} until "hmac split ${name} --cut-over".`)
      }
      const foreign = backend.kind === 'postgres' ? await (backend as PostgresBackend).foreignKeks() : []
      if (foreign.length === 0) return exitCodes.ok
      context.output.note(`countersign: ${unreadableText(foreign)}`)
      return exitCodes.usage
    })
  },
}
