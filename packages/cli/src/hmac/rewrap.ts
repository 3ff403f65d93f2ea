import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { foreignKeks, postgresBackend, unreadableText } from './postgres-backend.js'

/** `hmac rewrap`: seals every row anew with the first key of the ring. Throws when some did not open. */
export async function rewrap(context: Context, options: { readonly json?: boolean }): Promise<undefined> {
  const backend = await postgresBackend(context)
  const progress = context.output.progress('Rewrapped')
  try {
    const total = (await backend.list()).length
    let updates = 0
    backend.onStatement = (text) => {
      if (!text.trimStart().startsWith('UPDATE')) return
      updates += 1
      progress.report(updates, total)
    }
    const rewrapped = await backend.store.rewrap()
    progress.done()
    backend.onStatement = undefined
    const foreign = await foreignKeks(backend)
    if (options.json) context.output.json({ rewrapped, unreadableKeks: foreign })
    else context.output.line(`rewrapped ${rewrapped}`)
    if (foreign.length > 0) throw usageError(unreadableText(foreign))
  } finally {
    progress.done()
    await backend.close()
  }
}
