import { writeCredentialFile } from '@countersign/mcp-credential'
import { failedError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { describeCredential } from './describe-credential.js'
import type { RegistryOptions } from './registry-options.js'
import { withCredentials } from './with-credentials.js'

/** The options of `mcp issue`. */
export interface IssueCommandOptions extends RegistryOptions {
  readonly thread: string
  readonly provider: string
  readonly providerSession?: string
  readonly capability?: readonly string[]
  readonly onExisting?: 'supersede' | 'keep' | 'carry'
  readonly overlap?: number
  readonly file?: string
  readonly json?: boolean
}

/**
 * `mcp issue`: mints a credential and prints its token once, or writes it to a file. Throws when the thread is
 * retired.
 */
export async function issue(context: Context, options: IssueCommandOptions): Promise<undefined> {
  const { thread, provider, providerSession, capability, onExisting, overlap, file, json } = options
  await withCredentials(context, options, async (credentials) => {
    const issued = await credentials
      .issue({
        threadId: thread,
        providerInstanceId: provider,
        capabilities: capability ?? [],
        ...(providerSession === undefined ? {} : { providerSessionId: providerSession }),
        ...(onExisting === undefined ? {} : { onExisting }),
        ...(overlap === undefined ? {} : { overlapMs: overlap * 1000 }),
      })
      .catch((error: unknown) => {
        throw explain(error)
      })
    if (file !== undefined) await writeFileOrRevoke(issued, file)
    const described = describeCredential(issued, 'live')
    if (json) context.output.json({ ...described, ...(file === undefined ? { token: issued.token } : { file }) })
    else context.output.line(file === undefined ? issued.token : `${issued.credentialId}: the credential is in ${file}`)
  })
}

/** A credential that nobody got must not lie around. */
async function writeFileOrRevoke(
  issued: { readonly token: string; readonly authorizationHeader: string; revoke(): Promise<boolean> },
  file: string,
): Promise<void> {
  try {
    await writeCredentialFile(file, issued)
  } catch (error) {
    await issued.revoke()
    const { code = 'unwritable' } = error as NodeJS.ErrnoException
    throw usageError(`${file} cannot be written (${code}): correct its name or the permissions of its folder`)
  }
}

function explain(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string }
  if (code === 'ERR_COUNTERSIGN_THREAD_RETIRED' || code === 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS') return failedError(String(message))
  return error
}
