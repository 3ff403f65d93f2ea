import { randomBytes } from 'node:crypto'
import type { JsonOption } from '../command.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { requireCaller, secretVariable } from './variables.js'

/** The options of `hmac generate`. */
export interface GenerateOptions {
  readonly bytes?: number
  readonly caller?: string
  readonly kekId?: string
}

/** `hmac generate`: a random secret or key-encryption key, in the form that the environment takes. */
export async function generate({ output }: Context, options: GenerateOptions & JsonOption): Promise<undefined> {
  const { bytes = 48, caller, kekId, json } = options
  if (kekId !== undefined) {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(kekId)) throw usageError('--kek-id must be 1 to 64 of A-Z a-z 0-9 . _ -')
    const kek = `${kekId}:${randomBytes(32).toString('base64')}`
    if (json) output.json({ kek })
    else output.line(kek)
    return
  }
  if (bytes < 32 || bytes > 1024) throw usageError('--bytes must be from 32 to 1024: a shorter secret could be guessed')
  requireCaller(caller)
  const secret = randomBytes(bytes).toString('base64')
  const variable = caller === undefined ? undefined : secretVariable(caller)
  if (json) output.json({ secret, variable })
  else output.line(variable === undefined ? secret : `${variable}=${secret}`)
}
