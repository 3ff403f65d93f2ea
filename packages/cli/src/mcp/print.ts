import { readCredentialFile } from '@countersign/mcp-credential'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'

/** The options of `mcp print`. */
export interface PrintOptions {
  readonly file: string
  readonly token?: boolean
}

/** What a header helper prints: the header fields as JSON. It asks no store, for an agent waits for it. */
export async function print({ output }: Context, { file, token }: PrintOptions): Promise<undefined> {
  const headers = await readCredential(file)
  if (token) output.line(headers.Authorization.replace(/^Bearer /, ''))
  else output.json(headers)
}

/** @throws {CommandError} when the file holds no credential. */
export async function readCredential(file: string): Promise<{ readonly Authorization: string }> {
  try {
    return await readCredentialFile(file)
  } catch (error) {
    const { code } = error as { code?: string }
    const why = code === 'ERR_COUNTERSIGN_CREDENTIAL_FILE' ? 'it holds no credential' : `it cannot be read (${code})`
    throw usageError(`${file}: ${why}: write it with "countersign mcp issue --file"`)
  }
}
