import { readFileSync } from 'node:fs'
import { readVariable } from '@countersign/core/gate-kit'
import { InvalidArgumentError } from 'commander'
import type { Context } from './context.js'
import { fileError, usageError } from './errors.js'

const MAX_BYTES = 16 * 1024 * 1024

/** The bytes of a file, or of standard input for `-`. @throws {CommandError} when it cannot be read. */
export async function readInput(context: Context, file: string, what: string): Promise<Buffer> {
  if (file === '-') return readStdin(context, what)
  try {
    return readFileSync(file)
  } catch (error) {
    throw fileError(`the file of ${what}, ${file},`, 'read', error)
  }
}

async function readStdin({ stdin, signal }: Context, what: string): Promise<Buffer> {
  if (stdin.isTTY === true) throw usageError(`${what} is expected on stdin: pipe it in or name a file`)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    signal.throwIfAborted()
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > MAX_BYTES) throw usageError(`${what} on stdin is longer than ${MAX_BYTES} bytes`)
  }
  return Buffer.concat(chunks)
}

/**
 * A secret from a file (`-` is standard input), else from a variable or the file that `<NAME>_FILE` names. Undefined
 * when neither is given. A trailing newline is removed.
 *
 * @throws {CommandError} when it is empty or the file cannot be read.
 */
export async function readSecret(
  context: Context,
  { file, variable, what }: { file?: string | undefined; variable: string; what: string },
): Promise<string | undefined> {
  const text =
    file === undefined
      ? readVariable(context.env, variable)
      : (await readInput(context, file, what)).toString('utf8').replace(/\r?\n$/, '')
  if (text === '') throw usageError(`${what} is empty: ${file ?? variable} contains nothing`)
  return text
}

/** For commander: a port, or 0 for any that is free. */
export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be 0 to 65535.')
  return Number(text)
}

/** @throws {CommandError} for anything but an absolute http or https URL without credentials. */
export function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw usageError(`${JSON.stringify(url.slice(0, 200))} is not a URL: it must be absolute, as https://host/path`)
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw usageError('the URL holds a user or a password: remove them, every user of the machine can read them')
  }
  return parsed
}
