import type { Case } from '../case.js'
import { allGates } from './all-gates.js'
import { auditCase } from './audit.js'
import { dpopCase } from './dpop.js'
import { hmacCases, hmacGrowth, hmacRedis } from './hmac.js'
import { mcpCases, mcpGrowth } from './mcp.js'
import { oauthCases, oauthGrowth, oauthRedis } from './oauth.js'
import { replayGrowth } from './replay.js'
import { settingsCases, settingsGrowth } from './settings.js'

/** Each gate beside its peers. */
export const decisionCases: readonly Case[] = [
  ...oauthCases,
  dpopCase,
  ...hmacCases,
  ...mcpCases,
  ...settingsCases,
  ...allGates,
]

/** The same decision among ever more records, keys or bytes. */
const manyGrow = [...mcpGrowth, ...settingsGrowth, ...replayGrowth, ...hmacGrowth, ...oauthGrowth]
const isOnRedis = ({ id }: Case): boolean => id.endsWith('-redis')
export const growthCases: readonly Case[] = [
  ...manyGrow.filter((one) => !isOnRedis(one)),
  // A million records in Redis take minutes.
  ...manyGrow.filter(isOnRedis),
]

/** Those whose variants ask a Redis, or stand beside one. */
export const redisCases: readonly Case[] = [...[...mcpCases, ...settingsCases].filter(isOnRedis), hmacRedis, oauthRedis]

const all: readonly Case[] = [...new Set([...decisionCases, ...growthCases, ...redisCases, auditCase])]

export function caseOf(id: string): Case {
  const found = all.find((one) => one.id === id)
  if (found === undefined) throw new Error(`no case is called ${id}; the cases: ${all.map((one) => one.id).join(', ')}`)
  return found
}

export { auditCase }
