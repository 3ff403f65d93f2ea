import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { settle } from '../async.js'

/** Checks that may fail in a row, because nobody can tell, before a connection is ended. */
const MAX_FAILED_CHECKS = 12
/** So many connections, or so long: most are answered before anything is kept of them, and no listener need be told. */
const MAX_YOUNG = 64
const YOUNG_MS = 50

/** What stays open: a response that is a stream, or the socket of an upgrade. */
export type OpenConnection = ServerResponse | Duplex

/** Ends open connections when what opened them is no longer valid. */
export interface ConnectionWatch<T> {
  /**
   * Watches a connection until it is closed, and checks what opened it every `recheckMs`. Of more than `most` of one opener
   * whose answers have begun the oldest end, with the next that is watched or at the next check.
   */
  watch(connection: OpenConnection, opener: T, recheckMs: number, most?: number): void
  /** Checks at once: all openers, or some. */
  recheck(isMeant?: (opener: T) => boolean): void
}

/** Why a connection was ended: what opened it is no longer valid, nobody could tell for too long, or it opened too many. */
export type EndedConnection = 'no_longer_valid' | 'unavailable' | 'too_many'

/** What one opener has opened, the oldest first: one check is for all of it. */
interface Opened<T> {
  readonly opener: T
  readonly connections: OpenConnection[]
  recheckMs: number
  most: number
  failed: number
  isBeingChecked: boolean
}

/** A connection that was opened a moment ago. */
interface Young<T> {
  readonly connection: OpenConnection
  readonly opener: T
  readonly recheckMs: number
  readonly most: number
}

/**
 * Watches open connections: those of an opener are ended when `isValid` says no, or 12 times in a row cannot tell: it throws,
 * rejects or says undefined. Then `onEnded` is called, once for each. Being open is no sign of life, so `isValid` must not
 * prolong anything. A connection whose answer has not begun is left to its handler.
 *
 * @example
 * const sockets = watchConnections((id: string) => store.has(id))
 * sockets.watch(request.socket, 'id-1', 5000)
 */
export function watchConnections<T>(
  isValid: (opener: T) => boolean | undefined | Promise<boolean | undefined>,
  onEnded?: (opener: T, cause: EndedConnection) => void,
): ConnectionWatch<T> {
  const byOpener = new Map<T, Opened<T>>()
  const byConnection = new Map<OpenConnection, Opened<T>>()
  const intervals = new Set<number>()
  let young: Young<T>[] = []
  let isSortingPlanned = false

  function end({ opener }: Opened<T>, connections: readonly OpenConnection[], cause: EndedConnection): void {
    for (const connection of connections) {
      if (connection.destroyed) continue
      connection.destroy()
      onEnded?.(opener, cause)
    }
  }

  function endOldest(opened: Opened<T>): void {
    if (opened.connections.length <= opened.most) return
    const begun = opened.connections.filter(hasBegun)
    if (begun.length > opened.most) end(opened, begun.slice(0, begun.length - opened.most), 'too_many')
  }

  function check(opened: Opened<T>): void {
    const begun = opened.connections.filter(hasBegun)
    if (begun.length === 0) return
    opened.isBeingChecked = true
    const judge = (valid: boolean | undefined) => {
      opened.isBeingChecked = false
      opened.failed = valid === undefined ? opened.failed + 1 : 0
      if (valid === false) end(opened, begun, 'no_longer_valid')
      else if (opened.failed >= MAX_FAILED_CHECKS) end(opened, begun, 'unavailable')
    }
    void settle<boolean | undefined, void>(
      () => isValid(opened.opener),
      judge,
      () => judge(undefined),
    )
  }

  /** Checks the openers of one interval for as long as there are any connections. */
  function begin(recheckMs: number): void {
    intervals.add(recheckMs)
    const timer = setInterval(() => {
      sortOut()
      if (byConnection.size === 0) {
        clearInterval(timer)
        intervals.delete(recheckMs)
      }
      for (const opened of byOpener.values()) {
        if (opened.recheckMs !== recheckMs) continue
        endOldest(opened)
        if (!opened.isBeingChecked) check(opened)
      }
    }, recheckMs).unref()
  }

  /** One listener for all of them. */
  function forgetClosed(this: OpenConnection): void {
    const opened = byConnection.get(this)
    if (opened === undefined) return
    byConnection.delete(this)
    if (opened.connections.length === 1) byOpener.delete(opened.opener)
    else opened.connections.splice(opened.connections.indexOf(this), 1)
  }

  /** Keeps those that are still open. */
  function sortOut(): void {
    const all = young
    young = []
    for (const one of all) keep(one)
  }

  function keep({ connection, opener, recheckMs, most }: Young<T>): void {
    // The client may have gone while the store was asked: no `close` follows then.
    if (connection.destroyed || connection.writableFinished || byConnection.has(connection)) return
    let opened = byOpener.get(opener)
    if (opened === undefined) {
      opened = { opener, connections: [connection], recheckMs, most, failed: 0, isBeingChecked: false }
      byOpener.set(opener, opened)
    } else {
      // Of gates that differ, the stricter one counts for all that the opener has.
      opened.recheckMs = Math.min(opened.recheckMs, recheckMs)
      opened.most = Math.min(opened.most, most)
      // It was valid just now.
      opened.failed = 0
      opened.connections.push(connection)
    }
    byConnection.set(connection, opened)
    connection.on('close', forgetClosed)
    endOldest(opened)
  }

  function planSorting(delayMs: number): void {
    isSortingPlanned = true
    setTimeout(() => {
      isSortingPlanned = false
      sortOut()
    }, delayMs).unref()
  }

  return {
    watch(connection, opener, recheckMs, most = Number.POSITIVE_INFINITY) {
      if (young.length === MAX_YOUNG) sortOut()
      young.push({ connection, opener, recheckMs, most })
      if (!intervals.has(recheckMs)) begin(recheckMs)
      if (!isSortingPlanned) planSorting(Math.min(recheckMs, YOUNG_MS))
    },
    recheck(isMeant = () => true) {
      sortOut()
      for (const opened of byOpener.values()) if (isMeant(opened.opener)) check(opened)
    },
  }
}

/** A response whose head is sent, or a socket. */
function hasBegun(connection: OpenConnection): boolean {
  return !connection.destroyed && (!('headersSent' in connection) || connection.headersSent)
}
