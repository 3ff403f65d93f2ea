import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { parseUrl } from '../parse-url.js'
import type { UserOptions } from './user-options.js'
import { userOf, withSessions } from './with-sessions.js'

/** The options of `session link`. */
export interface LinkOptions extends UserOptions {
  readonly baseUrl: string
  readonly agent?: string
  readonly returnTo?: string
  readonly ttl?: number
  readonly confirmCode?: boolean
  readonly json?: boolean
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/

/** Makes a link for development. In production a link is seen by its user alone, not by who can type a command. */
export async function link(
  context: Context,
  options: LinkOptions,
  platform: string,
  userId: string,
): Promise<undefined> {
  const { baseUrl, agent, returnTo, ttl, confirmCode, json } = options
  if (!LOOPBACK.test(parseUrl(baseUrl).hostname) || context.env.NODE_ENV === 'production') {
    throw usageError(
      'links are printed for development alone: --base-url must be on localhost, NODE_ENV not production',
    )
  }
  const settings = {
    baseUrl,
    ...(ttl === undefined ? {} : { linkTtlMs: ttl * 1000 }),
    ...(confirmCode === undefined ? {} : { confirmCode }),
  }
  await withSessions(context, options, settings, async (sessions) => {
    const made = await sessions.issueLink({
      ...userOf(platform, userId, options),
      ...(agent === undefined ? {} : { agentId: agent }),
      ...(returnTo === undefined ? {} : { returnTo }),
    })
    const receipt = await sessions.deliver(made, (url, code) => {
      const text = url.reveal('deliver-to-user')
      if (json)
        context.output.json({ url: text, expiresAt: made.receipt.expiresAt, ...(code === undefined ? {} : { code }) })
      else context.output.line(text)
      if (!json && code !== undefined) context.output.note(`The page asks for ${code}.`)
    })
    if (!receipt.delivered) throw usageError('the link could not be printed: standard output is closed')
  })
}
