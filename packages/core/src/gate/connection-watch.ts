import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { settle } from '../async.js'

/** Checks that may fail in a row, because nobody can tell, before a connection is ended. */
const MAX_FAILED_CHECKS = 12

/** What stays open: a response that is a stream, or the socket of an upgrade. */
export type OpenConnection = ServerResponse | Duplex

/** Ends open connections when what opened them is no longer valid. */
export interface ConnectionWatch<T> {
  /** Watches a connection until it is closed, and checks what opened it every `recheckMs`. */
  watch(connection: OpenConnection, opener: T, recheckMs: number): void
  /** Checks at once: all of them, or those of some openers. */
  recheck(isMeant?: (opener: T) => boolean): void
}

/** Why a connection was ended: what opened it is no longer valid, or nobody could tell for too long. */
export type EndedConnection = 'no_longer_valid' | 'unavailable'

interface Watched<T> {
  readonly opener: T
  failed: number
  isBeingChecked: boolean
}

/**
 * Watches open connections: each is ended when `isValid` says no, or 12 times in a row cannot tell: it throws,
 * rejects or says undefined. Then `onEnded` is called, once. Being open is no sign of life, so `isValid` must not prolong anything. A connection whose answer has not begun is left to its handler.
 *
 * @example
 * const sockets = watchConnections((id: string) => store.has(id))
 * sockets.watch(request.socket, 'id-1', 5000)
 */
export function watchConnections<T>(
  isValid: (opener: T) => boolean | undefined | Promise<boolean | undefined>,
  onEnded?: (opener: T, cause: EndedConnection) => void,
): ConnectionWatch<T> {
  const groups = new Map<number, Map<OpenConnection, Watched<T>>>()

  function check(connection: OpenConnection, watched: Watched<T>): void {
    if ('headersSent' in connection && !connection.headersSent) return
    watched.isBeingChecked = true
    const end = (valid: boolean | undefined) => {
      watched.isBeingChecked = false
      watched.failed = valid === undefined ? watched.failed + 1 : 0
      if (connection.destroyed || (valid !== false && watched.failed < MAX_FAILED_CHECKS)) return
      connection.destroy()
      onEnded?.(watched.opener, valid === false ? 'no_longer_valid' : 'unavailable')
    }
    void settle<boolean | undefined, void>(
      () => isValid(watched.opener),
      end,
      () => end(undefined),
    )
  }

  /** The connections that are checked at one interval, for as long as there are any. */
  function groupOf(recheckMs: number): Map<OpenConnection, Watched<T>> {
    const known = groups.get(recheckMs)
    if (known !== undefined) return known
    const group = new Map<OpenConnection, Watched<T>>()
    groups.set(recheckMs, group)
    const timer = setInterval(() => {
      if (group.size === 0) {
        clearInterval(timer)
        groups.delete(recheckMs)
      }
      for (const [connection, watched] of group) if (!watched.isBeingChecked) check(connection, watched)
    }, recheckMs).unref()
    return group
  }

  /** One listener for all of them: every decision adds it. */
  function forgetClosed(this: OpenConnection): void {
    for (const group of groups.values()) group.delete(this)
  }

  return {
    watch(connection, opener, recheckMs) {
      // The client may have gone while the store was asked: no `close` follows then.
      if (connection.destroyed || connection.writableFinished) return
      const group = groupOf(recheckMs)
      if (group.has(connection)) return
      group.set(connection, { opener, failed: 0, isBeingChecked: false })
      connection.on('close', forgetClosed)
    },
    recheck(isMeant = () => true) {
      for (const group of groups.values()) {
        for (const [connection, watched] of group) if (isMeant(watched.opener)) check(connection, watched)
      }
    },
  }
}
