import { BoundedTtlMap, CodedTypeError, isUnavailable, systemClock } from '@countersign/core/gate-kit'

/** Issues by their idempotency key. */
export interface IssueMemory<M, R> {
  /**
   * Does the work once for a key: again with the same mint when it failed, and not again when it is under way or done.
   * What was undone, because the audit did not record it, is revoked: a retry gets another mint.
   *
   * @throws {CodedTypeError} when the key was used for another issue.
   */
  once(key: string, what: string, mint: () => M, work: (minted: M) => Promise<R>): Promise<R>
}

interface Entry<M, R> {
  readonly what: string
  readonly minted: M
  result: Promise<R> | undefined
}

const MAX_KEYS = 1000
const REMEMBERED_MS = 10 * 60_000
const running = () => systemClock.monotonic()

/** Remembers issues in this process. What was minted is in no store, so no other process can recognise a retry. */
export function rememberIssues<M, R>(): IssueMemory<M, R> {
  const entries = new BoundedTtlMap<string, Entry<M, R>>({
    maxEntries: MAX_KEYS,
    clock: { now: running, monotonic: running },
  })
  return {
    async once(key, what, mint, work) {
      const entry = entries.get(key) ?? { what, minted: mint(), result: undefined }
      if (entry.what !== what) {
        throw new CodedTypeError(
          'ERR_COUNTERSIGN_IDEMPOTENCY_KEY_REUSED',
          'the idempotencyKey was used for an issue with other options: use a new one for each issue',
        )
      }
      entries.set(key, entry, running() + REMEMBERED_MS)
      entry.result ??= work(entry.minted).catch((error: unknown) => {
        entry.result = undefined
        if (isUnavailable(error) && error.dependency === 'audit_sink') entries.delete(key)
        throw error
      })
      return entry.result
    },
  }
}
