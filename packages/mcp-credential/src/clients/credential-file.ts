import { readFile } from 'node:fs/promises'
import { withPage } from '@countersign/core/gate-kit'
import { writePrivateFile } from '../private-file.js'
import type { HandedCredential } from './client-config.js'

/**
 * Publishes a credential to the file that an agent's header helper reads: mode 0600, in one step. Publish the new one
 * before the old one ends: issue with `overlapSeconds`.
 */
export async function writeCredentialFile(file: string, credential: HandedCredential): Promise<void> {
  const text = JSON.stringify({ version: 1, headers: { Authorization: credential.authorizationHeader } })
  await writePrivateFile(file, `${text}\n`)
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
    // Reported below, without the text: it may hold a token.
  }
  const authorization = content?.headers?.Authorization
  if (content?.version !== 1 || typeof authorization !== 'string') {
    const code = 'ERR_COUNTERSIGN_CREDENTIAL_FILE'
    const message = 'the file does not hold a credential that writeCredentialFile wrote'
    throw Object.assign(new Error(withPage(message, code)), { code })
  }
  return { Authorization: authorization }
}
