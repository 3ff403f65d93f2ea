/** Who still uses a legacy credential. Times are milliseconds since the epoch. */
export interface LegacyUse {
  readonly caller: string
  readonly accepted: number
  readonly refused: number
  readonly lastSeenAt: number
}

/** Where it is kept who still uses a legacy credential, for all processes and beyond a restart. Decides nothing. */
export interface UsageStore {
  /** Adds what one process has counted since it did so last; of two times the later one stays. */
  add(uses: readonly LegacyUse[]): Promise<void>
  /** What all processes have counted, by caller. */
  read(): Promise<readonly LegacyUse[]>
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

/** A second of counts is what a process that is killed loses. */
const WRITE_AFTER_MS = 1000
/** While the store fails, this process keeps what it has counted. */
const RETRY_AFTER_MS = 5000

/**
 * Counts into a store: what was counted is written once a second at most, so no request waits for it, and `usage()` writes
 * what is left and asks the store. While the store fails, counts are kept. A write whose answer was lost counts twice; the
 * time is right all the same.
 */
export function countUsageInto(
  store: UsageStore,
  now: () => number,
): { count(caller: string, isAccepted: boolean): void; usage(): Promise<readonly LegacyUse[]> } {
  let counter = countUsage(now)
  let failed: readonly LegacyUse[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  function schedule(afterMs: number): void {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      writing = writing.then(write).catch(() => schedule(RETRY_AFTER_MS))
    }, afterMs)
    timer.unref()
  }

  async function write(): Promise<void> {
    const uses = mergeUses([...failed, ...counter.usage()])
    counter = countUsage(now)
    failed = []
    if (uses.length === 0) return
    try {
      await store.add(uses)
    } catch (error) {
      failed = mergeUses([...uses, ...failed])
      throw error
    }
  }

  return {
    count(caller, isAccepted) {
      counter.count(caller, isAccepted)
      schedule(WRITE_AFTER_MS)
    },
    async usage() {
      const written = writing.then(write)
      writing = written.catch(() => schedule(RETRY_AFTER_MS))
      await written
      return store.read()
    },
  }
}

/** One row for each caller: counts are added up, and of times the latest stays. */
export function mergeUses(uses: readonly LegacyUse[]): readonly LegacyUse[] {
  const merged = new Map<string, LegacyUse>()
  for (const use of uses) {
    const { accepted = 0, refused = 0, lastSeenAt = 0 } = merged.get(use.caller) ?? {}
    merged.set(use.caller, {
      caller: use.caller,
      accepted: accepted + use.accepted,
      refused: refused + use.refused,
      lastSeenAt: Math.max(lastSeenAt, use.lastSeenAt),
    })
  }
  return [...merged.values()]
}
