import { setTimeout as wait } from 'node:timers/promises'
import { isRefusal } from '@countersign/postgres/store'

/** A connection that was cut is replaced at once; a server that restarts takes a moment. */
const WAITS_MS: readonly number[] = [50, 200, 500]

/**
 * Asks, and again when it is not known what became of it: the answer to a change that was made can be lost with its
 * connection. Asked again, the same question must do and answer the same. Rejects with the last error.
 */
export async function ask<T>(question: (isAgain: boolean) => Promise<T>): Promise<T> {
  return askAfter(WAITS_MS, question)
}

/**
 * The same, of a change that gives a right. When no answer came it rejects, and the change may be done all the same: `look`
 * is asked until it is known, and `found` called with what it says.
 */
export async function askForRight<T, F>(
  question: (isAgain: boolean) => Promise<T>,
  look: () => Promise<F>,
  found: (answer: F) => unknown,
): Promise<T> {
  try {
    return await ask(question)
  } catch (error) {
    // What cannot be recorded is undone and told by `found` itself.
    if (!isRefusal(error))
      askUntilKnown(look)
        .then(found)
        .catch(() => undefined)
    throw error
  }
}

/** The same for as long as it takes, without keeping the process alive. Rejects only when the server refuses. */
export function askUntilKnown<T>(question: (isAgain: boolean) => Promise<T>): Promise<T> {
  return askAfter(growing(), question, false)
}

async function askAfter<T>(waitsMs: Iterable<number>, question: (isAgain: boolean) => Promise<T>, ref = true) {
  let isAgain = false
  for (const waitMs of waitsMs) {
    try {
      return await question(isAgain)
    } catch (error) {
      if (isRefusal(error)) throw error
    }
    isAgain = true
    await wait(waitMs, undefined, { ref })
  }
  return question(isAgain)
}

function* growing(): Generator<number> {
  for (let waitMs = 500; ; waitMs = Math.min(30_000, waitMs * 2)) yield waitMs
}
