import { randomBytes } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { secretVariable } from './secret-variable.js'

/** The options of `hmac generate`. */
export interface GenerateOptions {
  readonly bytes?: number
  readonly caller?: string
  readonly kekId?: string
  readonly json?: boolean
}

const CALLER = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** `hmac generate`: a random secret or key-encryption key, in the form that the environment takes. */
export async function generate({ output }: Context, options: GenerateOptions): Promise<undefined> {
  const { bytes = 48, caller, kekId, json } = options
  if (kekId !== undefined) {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(kekId)) {
      throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', 'kekId', '--kek-id must be an id of 1 to 64 of A-Z a-z 0-9 . _ -')
    }
    const value = `${kekId}:${randomBytes(32).toString('base64')}`
    if (json) output.json({ kek: value })
    else output.line(value)
    return
  }
  if (bytes < 32 || bytes > 1024) throw usageError('--bytes must be from 32 to 1024: a shorter secret could be guessed')
  requireCaller(caller)
  const secret = randomBytes(bytes).toString('base64')
  if (json) output.json({ secret, ...(caller === undefined ? {} : { variable: secretVariable(caller) }) })
  else output.line(caller === undefined ? secret : `${secretVariable(caller)}=${secret}`)
}

/** @throws {CommandError} for what cannot be a caller's name. */
export function requireCaller(caller: string | undefined): void {
  if (caller === undefined || caller === '*shared*' || CALLER.test(caller)) return
  throw usageError('a caller is a name of a-z 0-9 . _ - that starts with a letter or digit, at most 64 long')
}
