import type { Application, RequestHandler } from 'express'
import type { Wire } from './wire.js'

/** Requests that a variant lets through. They are made outside of what is measured. */
export interface Traffic {
  readonly wires: (count: number) => readonly Wire[] | Promise<readonly Wire[]>
  /** What `wires` repeats, each once: sent before anything is measured, so that nothing counts as a first time. */
  readonly seen?: (() => readonly Wire[]) | undefined
}

/** One middleware under the same task as the others of its case. */
export interface Variant extends Traffic {
  readonly name: string
  readonly isOurs: boolean
  /** What grows in the case, where something does: "1,000 live". */
  readonly size?: string | undefined
  readonly handler: RequestHandler
  /** Requests in one slice, where the case's own number is too many for it. */
  readonly maxSlice?: number | undefined
  /** The server that it asks, where it asks one. */
  readonly redis?: string | undefined
}

export interface Setup {
  readonly variants: readonly Variant[]
  close(): Promise<void>
}

/** One row of the table: a task, ours and the peers that do it. */
export interface Case {
  readonly id: string
  readonly title: string
  /** Most requests in one slice, where making them costs more than they do. */
  readonly maxSlice?: number | undefined
  /** Makes the app that each variant, the empty ones included, is mounted in; none is called by itself, as Express 5 would. */
  app?(): Application
  setup(): Promise<Setup>
}

/** A million requests before the first that counts would tell nothing more. */
const MOST_SEEN = 10_000

/**
 * Traffic that presents each of `values` in turn, over and over, with a turn of its own. The order is shuffled: records
 * that were made one after the other lie side by side in memory, and to walk along them would flatter a large store.
 */
export function inTurn<T>(values: readonly T[], toWire: (value: T) => Wire): Traffic {
  const order = shuffled(values)
  let turn = 0
  const next = (): Wire => toWire(order[turn++ % order.length] as T)
  return {
    wires: (count) => Array.from({ length: count }, next),
    seen: () => order.slice(0, MOST_SEEN).map(toWire),
  }
}

/**
 * Traffic that nobody has seen, for several variants that do not know of each other: each is sent the same requests, since to
 * sign them takes longer than to verify them.
 */
export function neverSeen(one: () => Promise<Wire>): () => Traffic {
  const made: Promise<Wire>[] = []
  return () => {
    let next = 0
    const take = (): Promise<Wire> => {
      made[next] ??= one()
      next += 1
      return made[next - 1] as Promise<Wire>
    }
    return { wires: (count) => Promise.all(Array.from({ length: count }, take)) }
  }
}

/** Fisher and Yates. */
export function shuffled<T>(values: readonly T[]): T[] {
  const list = [...values]
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[list[last], list[other]] = [list[other] as T, list[last] as T]
  }
  return list
}
