/** Who still uses a legacy credential. Times are milliseconds since the epoch. */
export interface LegacyUse {
  readonly caller: string
  readonly accepted: number
  readonly refused: number
  readonly lastSeenAt: number
}

/** Counts who still uses a legacy credential, in this process, by configured caller. */
export interface UsageCounter {
  count(caller: string, isAccepted: boolean): void
  usage(): readonly LegacyUse[]
}

/**
 * Makes a counter. `now` gives milliseconds since the epoch; beyond `maxCallers` a new caller is not counted, so that what
 * callers present cannot grow it without bound.
 */
export function countUsage(now: () => number, maxCallers = 10_000): UsageCounter {
  const uses = new Map<string, LegacyUse>()
  return {
    count(caller, isAccepted) {
      if (!uses.has(caller) && uses.size >= maxCallers) return
      const { accepted = 0, refused = 0 } = uses.get(caller) ?? {}
      uses.set(caller, {
        caller,
        accepted: accepted + (isAccepted ? 1 : 0),
        refused: refused + (isAccepted ? 0 : 1),
        lastSeenAt: now(),
      })
    },
    usage: () => [...uses.values()],
  }
}
