import { safeString } from '@countersign/core/gate-kit'
import { notFoundError, usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { describeCredential } from './describe-credential.js'
import type { RegistryOptions } from './registry-options.js'
import { withCredentials } from './with-credentials.js'

/** `mcp show`: one credential and what became of it. Throws when it is not there. */
export async function show(
  context: Context,
  options: RegistryOptions & { readonly json?: boolean },
  id: string,
): Promise<undefined> {
  await withCredentials(context, options, async (credentials) => {
    const found = await credentials.check(id)
    if (found.standing === 'malformed') throw notAnId(id)
    if (found.credential === undefined) throw notFoundError(NOT_THERE)
    const described = describeCredential(found.credential, found.standing)
    if (options.json) context.output.json(described)
    else {
      for (const [name, value] of Object.entries(described)) {
        const text = Array.isArray(value) ? value.join(' ') : String(value)
        context.output.line(`${name.padEnd(20)}${safeString(text)}`)
      }
    }
  })
}

/** What is said of an id that nothing is known of. */
export const NOT_THERE = 'there is no such credential: it was never issued, or ended some time ago; see "mcp list"'

/** The text itself may be a token, so it is not repeated. */
export function notAnId(text: string) {
  const isToken = text.split('_').length >= 3
  return usageError(
    isToken
      ? 'this is a token, and its id is wanted: the part between the first and the second "_". Revoke the token: everyone sees a command line'
      : 'this is no id of a credential: "mcp list" and the audit have them',
  )
}
