import { UnavailableError } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import { adviseOnConnection, type RedisClient } from '@countersign/redis'

const REMEDY = 'Set maxmemory-policy to noeviction, or say dangerouslyAllowEviction: true.'

/**
 * Refuses a Redis that evicts: it would cut off healthy agents when memory runs short. The settings are read once,
 * before the first command. The guard returns undefined when they are known to be good.
 */
export function evictionGuard(
  redis: RedisClient,
  timeoutMs: number,
  isAllowed: boolean,
): () => Promise<void> | undefined {
  let isGood = isAllowed
  let checking: Promise<void> | undefined

  async function check(): Promise<void> {
    const advice = await withDeadline(adviseOnConnection(redis), timeoutMs, 'credential_store')
    const codes = advice.map(({ code }) => code)
    if (codes.includes('COUNTERSIGN_REDIS_UNREACHABLE')) {
      throw new UnavailableError('credential_store', 'Redis could not be asked: its settings cannot be read')
    }
    const evicting = advice.find(({ code }) => code === 'COUNTERSIGN_REDIS_EVICTS')
    if (evicting !== undefined) {
      throw new UnavailableError(
        'credential_store',
        `maxmemory-policy is ${evicting.value}: ${evicting.danger}. ${REMEDY}`,
      )
    }
    isGood = true
  }

  return () => {
    if (isGood) return undefined
    checking ??= check().finally(() => {
      checking = undefined
    })
    return checking
  }
}
