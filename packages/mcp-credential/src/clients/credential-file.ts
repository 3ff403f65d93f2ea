import { readFile } from 'node:fs/promises'
import { writePrivateFile } from '../atomic-file.js'
import type { HandedCredential } from './client-config.js'

/**
 * Publishes a credential to the file that an agent's header helper reads: mode 0600, in one step. Publish the new one
 * before the old one ends: issue with `overlapMs`.
 */
export async function writeCredentialFile(file: string, credential: HandedCredential): Promise<void> {
  const text = JSON.stringify({ version: 1, headers: { Authorization: credential.authorizationHeader } })
  await writePrivateFile(file, [`${text}\n`])
}

/**
 * The headers that such a file holds: what a header helper prints as JSON.
 *
 * @throws an error with code `ERR_COUNTERSIGN_CREDENTIAL_FILE` when it is not such a file.
 */
export async function readCredentialFile(file: string): Promise<{ readonly Authorization: string }> {
  const text = await readFile(file, 'utf8')
  let content: { version?: unknown; headers?: { Authorization?: unknown } } | null = null
  try {
    content = JSON.parse(text)
  } catch {
    // Told below, without the text: it may hold a token.
  }
  const authorization = content?.headers?.Authorization
  if (content?.version !== 1 || typeof authorization !== 'string') {
    const error = new Error('the file does not hold a credential that writeCredentialFile wrote')
    throw Object.assign(error, { code: 'ERR_COUNTERSIGN_CREDENTIAL_FILE' })
  }
  return { Authorization: authorization }
}
