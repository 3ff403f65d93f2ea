import { type Denied, denied } from '@countersign/core/gate-kit'
import type { AttemptStore } from './store/port.js'

interface Bound {
  readonly most: number
  readonly windowMs: number
}

/** What is bounded. */
type Bounded = 'link' | 'user' | 'device' | 'sign_in_prompts'

const MINUTE_MS = 60_000

/**
 * How often what makes a record, or asks a user, may be tried. A link has less than its user, so that who holds one link does
 * not shut the user out of the next one.
 */
const BOUNDS: Readonly<Record<Bounded, Bound>> = {
  link: { most: 20, windowMs: 10 * MINUTE_MS },
  user: { most: 60, windowMs: 10 * MINUTE_MS },
  device: { most: 120, windowMs: 10 * MINUTE_MS },
  /** Questions to the user in the chat, for each link. */
  sign_in_prompts: { most: 5, windowMs: 60 * MINUTE_MS },
}

/** Counts an attempt; the refusal when there were too many before. */
export async function refuseTooMany(
  store: AttemptStore,
  of: Bounded,
  name: string,
): Promise<Denied<'too_many_attempts'> | undefined> {
  const { most, windowMs } = BOUNDS[of]
  const waitMs = await store.countAttempt(`${of} ${name}`, most, windowMs)
  if (waitMs === 0) return undefined
  return denied('too_many_attempts', { retryAfterSeconds: waitMs / 1000, detail: { attributes: { cause: of } } })
}
