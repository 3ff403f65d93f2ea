import type { McpCredentials } from '@countersign/mcp-credential'
import type { CredentialRecord } from '@countersign/mcp-credential/store'
import { type CommandError, notFoundError, usageError } from '../errors.js'

const SHOWN = 5
const PREFIX = /^[0-9A-Za-z]{4,}$/

/** A credential by its id, or by the start of an id that no other has: then only those that have not ended are found. */
export async function findCredential(
  credentials: McpCredentials,
  text: string,
  signal: AbortSignal,
): Promise<{ standing: string; credential: CredentialRecord }> {
  const found = await credentials.check(text)
  if (found.credential !== undefined) return { standing: found.standing, credential: found.credential }
  if (found.standing !== 'malformed') throw unknownCredential()
  if (!PREFIX.test(text)) throw malformedId(text)
  const [only, ...others] = await liveBelow(credentials, text, signal)
  if (only === undefined) throw unknownCredential()
  if (others.length === 0) return { standing: only.standing, credential: only }
  const ids = [only, ...others].slice(0, SHOWN).map(({ credentialId }) => credentialId)
  throw usageError(
    `${others.length + 1} credentials have ids that start with ${text}: enter more of it. ${ids.join(', ')}${others.length >= SHOWN ? ', …' : ''}`,
  )
}

async function liveBelow(credentials: McpCredentials, start: string, signal: AbortSignal) {
  const found: (CredentialRecord & { standing: string })[] = []
  let cursor: string | undefined
  do {
    signal.throwIfAborted()
    const page = await credentials.list({ limit: 500, cursor })
    found.push(...page.credentials.filter(({ credentialId }) => credentialId.startsWith(start)))
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
}

/** What was named is not there, or not any more. */
export function unknownCredential(): CommandError {
  return notFoundError('there is no such credential: it was never issued, or ended some time ago; see "mcp list"')
}

/** Does not repeat the text, which may be a token. */
function malformedId(text: string): CommandError {
  return usageError(
    text.split('_').length >= 3
      ? 'this is a token, not an id: the id is the part between the first and the second "_". Revoke the token: every user of the machine can read the command line'
      : 'this is not the id of a credential, nor its first four letters or more: "mcp list" and the audit show the ids',
  )
}
