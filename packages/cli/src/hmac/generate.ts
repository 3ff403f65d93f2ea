import { randomBytes } from 'node:crypto'
import { Option } from 'commander'
import type { CommandDefinition } from '../command.js'
import { parsePositive } from '../durations.js'
import { usageError } from '../errors.js'
import { requireCaller, secretVariable } from './variables.js'

interface GenerateOptions {
  readonly bytes?: number
  readonly caller?: string
  readonly kekId?: string
}

/** `hmac generate`: a random secret or key-encryption key, in the form that the environment takes. */
export const hmacGenerate: CommandDefinition<GenerateOptions> = {
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
  async run({ output }, options) {
    const { bytes = 48, caller, kekId, json } = options
    if (kekId !== undefined) {
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(kekId)) throw usageError('--kek-id must be 1 to 64 of A-Z a-z 0-9 . _ -')
      const kek = `${kekId}:${randomBytes(32).toString('base64')}`
      output.result(json, { kek }, kek)
      return
    }
    if (bytes < 32 || bytes > 1024)
      throw usageError('--bytes must be from 32 to 1024: a shorter secret could be guessed')
    requireCaller(caller)
    const secret = randomBytes(bytes).toString('base64')
    const variable = caller === undefined ? undefined : secretVariable(caller)
    output.result(json, { secret, variable }, variable === undefined ? secret : `${variable}=${secret}`)
  },
}
