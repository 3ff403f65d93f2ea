import type { Case } from '../case.js'
import { hmacCases } from './hmac.js'
import { growth, mcpCases } from './mcp.js'
import { oauthCases } from './oauth.js'
import { settingsCases } from './settings.js'

/** The rows of the table. */
export const tableCases: readonly Case[] = [...oauthCases, ...hmacCases, ...mcpCases, ...settingsCases]

/** The same decision among ever more records. */
export const growthCases: readonly Case[] = [100, 10_000, 100_000, 1_000_000].map(growth)

export const allCases: readonly Case[] = [...tableCases, ...growthCases]
