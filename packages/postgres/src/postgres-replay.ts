import type { ReplayStore } from '@countersign/core'
import { retriedClaims, sha256 } from '@countersign/core/gate-kit'
import type { PostgresClient, PostgresStoreOptions } from './client.js'
import { createRunner } from './runner.js'

/**
 * A replay store for any number of processes: one `INSERT … ON CONFLICT` a claim, which does nothing when it comes late.
 * `claim` rejects with an `UnavailableError` when PostgreSQL cannot be asked within `commandTimeoutMs`; the next claim of the
 * key in this process then takes up the same attempt, so the retry that was invited is no replay.
 *
 * @throws {OptionError}
 * @example
 * requireHmac({ secrets, audience, replay: postgresReplay(pool) })
 */
export function postgresReplay(client: PostgresClient, options: PostgresStoreOptions = {}): ReplayStore {
  const runner = createRunner(client, 'postgresReplay', 'replay_store', 'countersign_replay_sweep', options)
  return retriedClaims(async ({ key, ttlMs, attempt, onUnknown }) => {
    // Its hash: a key may be long, and hold what no text of PostgreSQL may.
    const what = { key: sha256(key).toString('hex'), attempt, ttl: Math.ceil(ttlMs) }
    const answer = await runner.run('countersign_replay_claim', what, (late) =>
      onUnknown(late?.then((isFirst) => isFirst === true)),
    )
    return answer === true
  })
}
