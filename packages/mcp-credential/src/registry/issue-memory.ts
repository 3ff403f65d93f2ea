import { BoundedTtlMap, CodedTypeError, systemClock } from '@countersign/core/gate-kit'

/** Issues by their idempotency key. */
export interface IssueMemory<M, R> {
  /**
   * Does the work once for a key: again with the same mint when it failed, and not again when it is under way or done.
   *
   * @throws {CodedTypeError} when the key was used for another issue.
   */
  once(key: string, what: string, mint: () => M, work: (minted: M) => Promise<R>): Promise<R>
  /** What was minted is being revoked by its own issue, which fails: a retry gets another mint. */
  spend(minted: M): void
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
export function rememberIssues<M extends object, R>(): IssueMemory<M, R> {
  const entries = new BoundedTtlMap<string, Entry<M, R>>({
    maxEntries: MAX_KEYS,
    clock: { now: running, monotonic: running },
  })
  const spent = new WeakSet<M>()
  return {
    spend: (minted) => void spent.add(minted),
    async once(key, what, mint, work) {
      const entry = entries.get(key) ?? { what, minted: mint(), result: undefined }
      if (entry.what !== what) {
        throw new CodedTypeError(
          'ERR_COUNTERSIGN_IDEMPOTENCY_KEY_REUSED',
          'the idempotencyKey was already used with other options: use a new one for each issue',
        )
      }
      entries.set(key, entry, running() + REMEMBERED_MS)
      entry.result ??= work(entry.minted).catch((error: unknown) => {
        entry.result = undefined
        if (spent.has(entry.minted)) entries.delete(key)
        throw error
      })
      return entry.result
    },
  }
}
