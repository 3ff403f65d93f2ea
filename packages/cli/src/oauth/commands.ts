import type { AnyCommand } from '../command.js'
import { oauthInspect } from './inspect.js'
import { oauthSmoke } from './smoke.js'

/** The commands of `oauth`. */
export const oauthCommands: readonly AnyCommand[] = [oauthSmoke, oauthInspect]
