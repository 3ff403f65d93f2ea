import { UnavailableError } from '@countersign/core'
import { attemptKey } from '../keys.js'
import type { AttemptStore } from '../port.js'
import type { MemoryState } from './state.js'

/** The part of the memory store that counts. */
export function memoryAttempts({ clock, counts }: MemoryState, maxEntries: number): AttemptStore {
  return {
    countAttempt(name, most, windowMs) {
      const key = attemptKey(name)
      const known = counts.get(key)
      if (known === undefined) {
        if (counts.set(key, { count: 1 }, clock.now() + windowMs)) return 0
        throw new UnavailableError('session_store', `the memory store holds ${maxEntries} entries`)
      }
      if (known.count >= most) return (counts.expiresAt(key) ?? 0) - clock.now()
      known.count += 1
      return 0
    },
  }
}
