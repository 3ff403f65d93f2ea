import { type Command, Option } from 'commander'
import { type Define, defineGroup } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import type { CurlOptions } from './curl.js'
import type { HmacDoctorOptions } from './doctor-command.js'
import type { ExplainOptions } from './explain.js'
import type { GenerateOptions } from './generate.js'
import type { ImportOptions } from './import-sealed.js'
import type { RevokeOptions } from './revoke.js'
import type { RotateOptions } from './rotate.js'
import type { SeedOptions } from './seed.js'
import { addSigningOptions, type SigningOptions } from './signing-options.js'
import { addStoreOptions, type StoreChoice } from './store-options.js'

/** Adds the commands of `hmac`. */
export function addHmacCommands(program: Command, define: Define): void {
  const hmac = defineGroup(program, 'hmac', 'secrets of signed requests, and signing by hand', 'countersign hmac list')
  addSecretCommands(hmac, define)
  addSigningCommands(hmac, define)
}

function addSecretCommands(hmac: Command, define: Define): void {
  define<GenerateOptions>(hmac, {
    usage: 'generate',
    summary: 'print a new secret, or a new key-encryption key',
    details: 'Nothing is stored.',
    examples: ['countersign hmac generate --caller scheduler >> .env', 'countersign hmac generate --kek-id k2'],
    options: (command) =>
      command
        .option('--bytes <count>', 'random bytes of the secret (default: 48)', parsePositive)
        .option('--caller <name>', 'print the line for the environment')
        .addOption(
          new Option('--kek-id <id>', 'a key-encryption key for COUNTERSIGN_HMAC_KEKS instead').conflicts([
            'bytes',
            'caller',
          ]),
        ),
    run: async (context, options) => (await import('./generate.js')).generate(context, options),
  })
  define(hmac, {
    usage: 'migrate',
    summary: 'create the table of secrets in PostgreSQL',
    details: 'What is there already stays as it is.',
    examples: ['countersign hmac migrate'],
    options: (command) => command.option('--print', 'print the SQL instead of running it'),
    run: async (context, options) => (await import('./migrate.js')).migrate(context, options),
  })
  define<SeedOptions>(hmac, {
    usage: 'seed <caller>',
    changesState: true,
    summary: "store a caller's first secret",
    details:
      'It comes from --secret-file, is made by --generate and printed, or is what the variables of the environment ' +
      'hold: that moves them into PostgreSQL.',
    examples: [
      'countersign hmac seed scheduler --generate --out scheduler.secret',
      'COUNTERSIGN_HMAC_SECRET_SCHEDULER=… countersign hmac seed scheduler --if-absent',
    ],
    options: (command) =>
      addStoreOptions(command)
        .addOption(new Option('--secret-file <file>', 'the secret; "-" is standard input').conflicts('generate'))
        .option('--generate', 'make a secret')
        .option('--key-version <n>', 'its version (default: 1)', parsePositive)
        .option('--if-absent', 'do nothing when the caller has a secret already')
        .option('--out <file>', 'write a made secret to this file, readable for you alone, instead of printing it'),
    run: async (context, options, caller) => (await import('./seed.js')).seed(context, options, caller as string),
  })
  define<RotateOptions>(hmac, {
    usage: 'rotate <caller>',
    changesState: true,
    summary: "store the next version of a caller's secret and print it",
    details: 'The previous versions go on for the grace. A pending version is put in force by the next rotation.',
    examples: ['countersign hmac rotate scheduler --pending', 'countersign hmac rotate scheduler --grace 24h'],
    options: (command) =>
      addStoreOptions(command)
        .option('--grace <time>', 'how long the previous versions go on (default: 24h)', parseSeconds)
        .option('--pending', 'tell verifiers first: signers go on with the previous version')
        .option('--secret-file <file>', 'a secret of your own instead of a made one; "-" is standard input')
        .option('--out <file>', 'write the made secret to this file, readable for you alone, instead of printing it'),
    run: async (context, options, caller) => (await import('./rotate.js')).rotate(context, options, caller as string),
  })
  define<RevokeOptions>(hmac, {
    usage: 'revoke <caller>',
    changesState: true,
    summary: "end a version of a caller's secret at once",
    details: 'It counts within 30 s in every process.',
    examples: ['countersign hmac revoke scheduler --key-version 3', 'countersign hmac revoke scheduler --all'],
    options: (command) =>
      addStoreOptions(command)
        .option('--key-version <n>', 'the version', parsePositive)
        .addOption(new Option('--all', 'every version of the caller').conflicts('keyVersion')),
    run: async (context, options, caller) => (await import('./revoke.js')).revoke(context, options, caller as string),
  })
  define<StoreChoice>(hmac, {
    usage: 'list [caller]',
    summary: 'list callers, versions and until when they count',
    details: 'Secrets are never shown.',
    examples: ['countersign hmac list', 'countersign hmac list scheduler --json'],
    options: addStoreOptions,
    run: async (context, options, caller) => (await import('./list.js')).list(context, options, caller),
  })
  define(hmac, {
    usage: 'rewrap',
    changesState: true,
    summary: 'seal every stored secret anew with the first key-encryption key of the ring',
    details: 'Put the new key first in COUNTERSIGN_HMAC_KEKS everywhere, rewrap, then remove the old one.',
    examples: ['COUNTERSIGN_HMAC_KEKS=k2:…,k1:… countersign hmac rewrap'],
    run: async (context, options) => (await import('./rewrap.js')).rewrap(context, options),
  })
  define<ImportOptions>(hmac, {
    usage: 'import [file]',
    changesState: true,
    summary: 'take over secrets that another system sealed',
    details:
      'The file, or standard input, holds a JSON object per line: {"caller":…,"version":…,"envelope":"iv:tag:ciphertext"}, ' +
      'each part in base64, AES-256-GCM with the associated data caller:version.',
    examples: ['countersign hmac import --kek-file old.kek sealed.jsonl'],
    options: (command) =>
      command
        .option(
          '--kek-file <file>',
          'the key they are sealed with, base64 of 32 bytes (or COUNTERSIGN_HMAC_IMPORT_KEK)',
        )
        .option('--skip-existing', 'pass over versions that are stored already'),
    run: async (context, options, file) => (await import('./import-sealed.js')).importSealed(context, options, file),
  })
}

function addSigningCommands(hmac: Command, define: Define): void {
  define<SigningOptions>(hmac, {
    usage: 'sign <method> <url>',
    summary: 'sign a request and print the header fields to add',
    examples: [
      'countersign hmac sign POST https://billing.example.com/jobs --caller scheduler -d \'{"a":1}\' -H "content-type: application/json"',
    ],
    options: addSigningOptions,
    run: async (context, options, method, url) =>
      (await import('./sign-command.js')).signCommand(context, options, method as string, url as string),
  })
  define<CurlOptions>(hmac, {
    usage: 'curl <method> <url>',
    summary: 'sign a request, send it and print the answer',
    details: 'It ends with 0 for a status of 2xx. Redirects are not followed.',
    examples: ['countersign hmac curl GET https://billing.example.com/jobs --caller scheduler'],
    options: (command) =>
      addSigningOptions(command)
        .option('-i, --include', 'print status and header fields too')
        .option('--max-time <time>', 'the most that it may take (default: 30s)', parseSeconds),
    run: async (context, options, method, url) =>
      (await import('./curl.js')).curl(context, options, method as string, url as string),
  })
  define<ExplainOptions>(hmac, {
    usage: 'explain <method> <url>',
    summary: 'show the very text that is signed and, given a refusal, what differs',
    details: 'It ends with 1 when a difference is certain.',
    examples: [
      'countersign hmac explain GET https://billing.example.com/jobs --caller scheduler',
      'countersign hmac curl -i … | countersign hmac explain … --refusal -',
      'grep access.denied audit.jsonl | tail -1 | countersign hmac explain … --refusal -',
    ],
    options: (command) =>
      addSigningOptions(command).option(
        '--refusal <file>',
        'the answer as "curl -i" prints it, or the audit event of the refusal; "-" is standard input',
      ),
    run: async (context, options, method, url) =>
      (await import('./explain.js')).explain(context, options, method as string, url as string),
  })
  define<HmacDoctorOptions>(hmac, {
    usage: 'doctor',
    summary: 'check the keys, the clock, the store of secrets and that of replays',
    examples: ['countersign hmac doctor --url https://billing.example.com'],
    options: (command) => command.option('--url <url>', 'a server whose clock is compared with this one'),
    run: async (context, options) => (await import('./doctor-command.js')).hmacDoctor(context, options),
  })
}
