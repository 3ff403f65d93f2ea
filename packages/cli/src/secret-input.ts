import { readFileSync } from 'node:fs'
import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import { usageError } from './command-error.js'
import type { Context } from './context.js'

const MAX_BYTES = 16 * 1024 * 1024

/** A file's bytes, or standard input's for `-`. @throws {CommandError} when it cannot be read. */
export async function readInput(context: Context, file: string, what: string): Promise<Buffer> {
  if (file === '-') return readStdin(context, what)
  try {
    return readFileSync(file)
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw usageError(`the file of ${what}, ${file}, cannot be read (${code}): correct its name or its permissions`)
  }
}

async function readStdin({ stdin, signal }: Context, what: string): Promise<Buffer> {
  if (stdin.isTTY === true) throw usageError(`${what} is to come from standard input: pipe it in, or name a file`)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    signal.throwIfAborted()
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > MAX_BYTES) throw usageError(`${what} on standard input is longer than ${MAX_BYTES} bytes`)
  }
  return Buffer.concat(chunks)
}

/**
 * A secret from a file (`-` is standard input), else from a variable or the file that `<NAME>_FILE` names. Undefined
 * when none of them is given. The newline at its end is no part of it.
 */
export async function readSecret(
  context: Context,
  { file, variable, what }: { file?: string | undefined; variable: string; what: string },
): Promise<string | undefined> {
  const text = file === undefined ? fromVariable(context.env, variable) : await fromFile(context, file, what)
  if (text === '') throw usageError(`${what} is empty: ${file === undefined ? variable : file} holds nothing`)
  return text
}

async function fromFile(context: Context, file: string, what: string): Promise<string> {
  return (await readInput(context, file, what)).toString('utf8').replace(/\r?\n$/, '')
}

function fromVariable(env: Environment, variable: string): string | undefined {
  return readVariable(env, variable)
}
