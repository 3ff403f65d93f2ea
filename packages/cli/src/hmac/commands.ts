import { Option } from 'commander'
import type { CommandDefinition } from '../command.js'
import { parsePositive, parseSeconds } from '../durations.js'
import { type CurlOptions, curl } from './curl.js'
import { type HmacDoctorOptions, hmacDoctor } from './doctor.js'
import { type ExplainOptions, explain } from './explain.js'
import { type GenerateOptions, generate } from './generate.js'
import { type ImportOptions, importSealed, migrate, reencrypt } from './postgres-commands.js'
import { list, type RevokeOptions, type RotateOptions, revoke, rotate, type SeedOptions, seed } from './secrets.js'
import { addSigningOptions, type SigningOptions, signCommand } from './sign.js'
import { addStoreOptions, type StoreChoice } from './with-secrets.js'

const generateCommand: CommandDefinition<GenerateOptions> = {
  usage: 'generate',
  summary: 'print a new secret or a new key-encryption key',
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
  run: generate,
}

const migrateCommand: CommandDefinition = {
  usage: 'migrate',
  summary: 'create the table of secrets in PostgreSQL',
  details: 'What exists is left unchanged.',
  examples: ['countersign hmac migrate'],
  options: (command) => command.option('--print', 'print the SQL instead of running it'),
  run: migrate,
}

const OUT = 'write the generated secret to this file (mode 0600) instead of printing it'

const seedCommand: CommandDefinition<SeedOptions> = {
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
      .option('--out <file>', OUT),
  run: seed,
}

const rotateCommand: CommandDefinition<RotateOptions> = {
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
  run: rotate,
}

const revokeCommand: CommandDefinition<RevokeOptions> = {
  usage: 'revoke <caller>',
  changesState: true,
  summary: "revoke a version of a caller's secret, at once",
  details: 'Every process refuses it within 30 s.',
  examples: ['countersign hmac revoke scheduler --key-version 3', 'countersign hmac revoke scheduler --all'],
  options: (command) =>
    addStoreOptions(command)
      .option('--key-version <n>', 'the version', parsePositive)
      .addOption(new Option('--all', 'every version of the caller').conflicts('keyVersion')),
  run: revoke,
}

const listCommand: CommandDefinition<StoreChoice> = {
  usage: 'list [caller]',
  summary: 'list callers, versions, states and expiry times',
  details: 'Secrets are never shown.',
  examples: ['countersign hmac list', 'countersign hmac list scheduler --json'],
  options: addStoreOptions,
  run: list,
}

const reencryptCommand: CommandDefinition = {
  usage: 'reencrypt',
  changesState: true,
  summary: 'encrypt every stored secret with the first key-encryption key of the ring',
  details: 'Put the new key first in COUNTERSIGN_HMAC_KEKS everywhere, re-encrypt, then remove the old key.',
  examples: ['COUNTERSIGN_HMAC_KEKS=k2:…,k1:… countersign hmac reencrypt'],
  run: reencrypt,
}

const importCommand: CommandDefinition<ImportOptions> = {
  usage: 'import [file]',
  changesState: true,
  summary: 'import secrets that another system encrypted',
  details:
    'The file, or standard input, holds a JSON object per line: {"caller":…,"version":…,"envelope":"iv:tag:ciphertext"}, ' +
    'each part in base64, AES-256-GCM with the associated data caller:version.',
  examples: ['countersign hmac import --kek-file old.kek sealed.jsonl'],
  options: (command) =>
    command
      .option('--kek-file <file>', 'the key that encrypted them, base64 of 32 bytes (or COUNTERSIGN_HMAC_IMPORT_KEK)')
      .option('--skip-existing', 'skip versions that are stored already'),
  run: importSealed,
}

const signingCommand: CommandDefinition<SigningOptions> = {
  usage: 'sign <method> <url>',
  summary: 'sign a request and print the header fields to add',
  examples: [
    'countersign hmac sign POST https://billing.example.com/jobs --caller scheduler -d \'{"a":1}\' -H "content-type: application/json"',
  ],
  options: addSigningOptions,
  run: signCommand,
}

const curlCommand: CommandDefinition<CurlOptions> = {
  usage: 'curl <method> <url>',
  summary: 'sign a request, send it and print the answer',
  details: 'The exit code is 0 for a status of 2xx. Redirects are not followed.',
  examples: ['countersign hmac curl GET https://billing.example.com/jobs --caller scheduler'],
  options: (command) =>
    addSigningOptions(command)
      .option('-i, --include', 'print status and header fields too')
      .option('--max-time <time>', 'how long it may take (default: 30s)', parseSeconds),
  run: curl,
}

const explainCommand: CommandDefinition<ExplainOptions> = {
  usage: 'explain <method> <url>',
  summary: 'show the signed text, what a gate says about it and, given a refusal, what differs',
  details: 'The exit code is 1 when a gate would refuse it or a difference is certain.',
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
  run: explain,
}

const doctorCommand: CommandDefinition<HmacDoctorOptions> = {
  usage: 'doctor',
  summary: 'check the keys, the clock, and the stores of secrets and replays',
  examples: ['countersign hmac doctor --url https://billing.example.com'],
  options: (command) => command.option('--url <url>', 'a server whose clock is compared with this one'),
  run: hmacDoctor,
}

/** The commands of `hmac`. */
export const hmacCommands: readonly CommandDefinition<never>[] = [
  generateCommand,
  migrateCommand,
  seedCommand,
  rotateCommand,
  revokeCommand,
  listCommand,
  reencryptCommand,
  importCommand,
  signingCommand,
  curlCommand,
  explainCommand,
  doctorCommand,
]
