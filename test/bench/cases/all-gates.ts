import { firstPresented, type Gate } from '@countersign/core'
import { xHeaders } from '@countersign/hmac'
import { memoryCredentials } from '@countersign/mcp-credential'
import { memorySessions } from '@countersign/settings-session'
import express from 'express'
import express4 from 'express-4'
import { type Case, inTurn, type Setup } from '../case.js'
import { ours as hmac } from './hmac.js'
import { ours as mcp } from './mcp.js'
import { ourGate as oauth, presentToken, startIssuer } from './oauth.js'
import { open } from './open-session.js'
import { ours as settings } from './settings.js'

const LIVE = 1000

/** Each gate with what it lets through, all in memory, no body. */
async function fourGates(): Promise<Setup> {
  const issuer = await startIssuer('ES256')
  const tokens = await Promise.all(Array.from({ length: LIVE }, () => issuer.token()))
  const agents = await mcp(memoryCredentials(), LIVE)
  return {
    variants: [
      { ...hmac('requireHmac, xHeaders', xHeaders(), 0) },
      agents.variant,
      { ...oauth(issuer), ...inTurn(tokens, presentToken) },
      await settings(memorySessions(), LIVE, open),
    ],
    close: async () => {
      await agents.close()
      await issuer.close()
    },
  }
}

/** What composing them costs each. */
async function composed(): Promise<Setup> {
  const { variants, close } = await fourGates()
  const handler = firstPresented(...(variants.map((one) => one.handler) as unknown as [Gate, Gate, Gate, Gate]))
  const through = variants.map((one) => ({ ...one, name: `${one.name}, first of four`, handler }))
  return { variants: variants.flatMap((one, index) => [one, through[index] ?? one]), close }
}

export const allGates: readonly Case[] = [
  { id: 'first-presented', title: 'firstPresented of four gates, beside each alone', setup: composed },
  { id: 'express-5', title: 'The four gates in an app of Express 5', app: () => express(), setup: fourGates },
  { id: 'express-4', title: 'The four gates in an app of Express 4', app: () => express4(), setup: fourGates },
]
