import type { Challenge } from '@countersign/core/gate-kit'

/** What a 401 says: a scheme of our own, that no browser asks a password for. */
export const challenge: Challenge = Object.freeze({ scheme: 'Countersign-Settings-Session' })
