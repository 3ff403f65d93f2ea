import { randomUUID } from 'node:crypto'
import { memoryReplay } from '@countersign/core'
import { xHeaders } from '@countersign/hmac'
import type { Case, Setup } from '../case.js'
import { floor, ours } from './hmac.js'
import { live, MEMORY_SIZES } from './sizes.js'

/** Room for the requests that are measured, beside those that were there. */
const ROOM = 2_000_000
const WINDOW_MS = 720_000

/** Signatures that were claimed before, in a store that takes one more with each request. */
async function amongClaims(count: number): Promise<Setup> {
  const replay = memoryReplay({ maxEntries: count + ROOM })
  const seen = new Map<string, number>()
  for (let index = 0; index < count; index += 1) {
    await replay.claim(randomUUID(), WINDOW_MS)
    seen.set(randomUUID(), Date.now() + WINDOW_MS)
  }
  const claim = (signature: string): boolean => {
    if (seen.has(signature)) return false
    seen.set(signature, Date.now() + WINDOW_MS)
    return true
  }
  return {
    variants: [ours('xHeaders', xHeaders(), 0, { replay }), { ...floor(0, claim), name: 'by hand, a Map' }],
    close: async () => undefined,
  }
}

export const replayGrowth: readonly Case[] = [
  { id: 'live-claims-memory', title: 'Live replay claims, memory', setup: () => live(MEMORY_SIZES, amongClaims) },
]
