import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { withPage } from '@countersign/core/gate-kit'
import { writePrivateFile } from '../private-file.js'
import { authorizationIn, credentialText } from './credential-format.js'

/** A credential as far as a client needs it. */
export interface HandedCredential {
  readonly token: string
  readonly authorizationHeader: string
}

/**
 * How a credential file is written, by who reads it: `headers` for a header helper, `token` for opencode, a line of a
 * `.env` file for Gemini CLI and Qwen Code. `toClientConfig` says which one as `fileForm`.
 */
export type CredentialFileForm = 'headers' | 'token' | { readonly envName: string }

/**
 * Publishes a credential to the file that an agent or its header helper reads: mode 0600, in one step. Makes the folder,
 * readable by its owner alone. Publish the new one before the old one ends: issue with `overlapSeconds`. The other lines of
 * a `.env` file stay.
 *
 * @throws the file system's error; the old file is unchanged then.
 */
export async function writeCredentialFile(
  file: string,
  credential: HandedCredential,
  form: CredentialFileForm = 'headers',
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writePrivateFile(file, await textOf(file, credential, form))
}

async function textOf(file: string, credential: HandedCredential, form: CredentialFileForm): Promise<string> {
  if (form === 'token') return credential.token
  if (form === 'headers') return credentialText(credential.authorizationHeader)
  const others = (await linesOf(file)).filter((line) => !isOf(form.envName, line))
  return `${[...others, `${form.envName}=${credential.token}`].join('\n')}\n`
}

/** The lines that there are, without the end of the last one. */
async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/)
}

function isOf(envName: string, line: string): boolean {
  const [name = ''] = line.split('=', 1)
  return name.trim().replace(/^export\s+/, '') === envName
}

/**
 * The headers that a file of the form `headers` holds: what a header helper prints as JSON.
 *
 * @throws an error with code `ERR_COUNTERSIGN_CREDENTIAL_FILE` when it is not such a file.
 */
export async function readCredentialFile(file: string): Promise<{ readonly Authorization: string }> {
  const authorization = authorizationIn(await readFile(file, 'utf8'))
  if (authorization !== undefined) return { Authorization: authorization }
  // Without the text: it may hold a token.
  const code = 'ERR_COUNTERSIGN_CREDENTIAL_FILE'
  const message = 'the file contains no credential written by writeCredentialFile'
  throw Object.assign(new Error(withPage(message, code)), { code })
}
